# A clone does no harm: a database that was copied or restored finds another one's name in store_claims and leaves the
# store alone until claim_store() is called in it. And a first use does not wait for another session's.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Node;

my $node = Audiostore::Node->new('claims', preload => 0);
$node->local_store('media');

# ---- first use ----------------------------------------------------------------------------------------------

my $claim = q{SELECT count(*) FROM audiostore.store_claims WHERE store = 'media'};
my ($in, $out, $err) = ('', '', '');
my $first = IPC::Run::start(['psql', '-XAtq', '-d', $node->connstr('postgres')], '<', \$in, '>', \$out, '2>', \$err);
$in = "BEGIN;\nSELECT audiostore.put_object('media', 'first', 'x') > 0;\n";
$first->pump until $out =~ /t\n/;
is($node->safe_psql('postgres', $claim), '0', 'one session has claimed the store and not committed');
is($node->safe_psql('postgres', "SET lock_timeout = '5s'; SELECT audiostore.put_object('media', 'second', 'x') > 0"),
    't', 'another one does not wait for it');
$in = "COMMIT;\n\\q\n";
$first->finish;
is($node->safe_psql('postgres', $claim), '1', 'the first claim stands');
$node->run_until_drained;
is_deeply([$node->files('media')], ['first', 'second'], 'both objects are there');

# ---- clones -------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE clips (key text);
SELECT audiostore.track('clips', 'key', store => 'media');
INSERT INTO clips VALUES ('first'), ('second');
SQL
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE postgres');
my $dump = $node->basedir . '/dump.sql';
$node->command_ok(['pg_dump', '-d', $node->connstr('postgres'), '-f', $dump], 'a dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump], 'restored');

for my $clone ('copied', 'restored') {
    is($node->safe_psql($clone, "SELECT database_name FROM audiostore.store_claims WHERE store = 'media'"),
        'postgres', "$clone: the store is claimed by the original");
    $node->safe_psql($clone, "DELETE FROM clips WHERE key = 'first'");
    $node->psql($clone, "CALL audiostore.run('outbox')");
    is_deeply([$node->files('media')], ['first', 'second'], "$clone: nothing is deleted");
    is($node->safe_psql($clone, "SELECT kind, key, state FROM audiostore.operations"), 'delete|first|pending',
        "$clone: the delete waits");
    my $audit = $node->safe_psql($clone, "SELECT audiostore.start_audit('media', min_age => '0')");
    $node->psql($clone, "CALL audiostore.run('audits')");
    is($node->safe_psql($clone, "SELECT state, complete FROM audiostore.audits WHERE id = $audit"), 'done|t', "$clone: it may look");
    my (undef, undef, $error) = $node->psql($clone, "SELECT * FROM audiostore.purge_orphans($audit, false, 1)");
    like($error, qr/refused to purge.*looked after by another database/s, "$clone: and purges nothing");
}
$node->safe_psql('restored', "SELECT audiostore.claim_store('media'); CALL audiostore.run('outbox');");
is_deeply([$node->files('media')], ['second'], 'until the store is claimed');
is($node->safe_psql('postgres', 'SELECT count(*) FROM audiostore.operations'), '0', 'the original has no part in it');

$node->stop;
done_testing();
