# Statements of several sessions that let go of, and come to hold, the same many keys at the same time: none of them may
# end in a deadlock, and one delete is queued for each key in the end.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Workers;

my $node = new_server('main', conf => "audiostore.enabled = off\ndeadlock_timeout = '100ms'");
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION audiostore;
CREATE SERVER media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '$root');
CREATE TABLE takes (client integer, key text);
CREATE TABLE mixes (client integer, key text);
CREATE INDEX ON takes (key);
CREATE INDEX ON mixes (key);
SELECT audiostore.track('takes', 'key', store => 'media');
SELECT audiostore.track('mixes', 'key', store => 'media');
SQL

sub script {
    my ($table, $keys) = @_;
    return "INSERT INTO $table SELECT :client_id, 'k' || i FROM generate_series(1, $keys) i;\n"
      . "DELETE FROM $table WHERE client = :client_id;\n";
}
$node->pgbench(
    '--no-vacuum --client=6 --jobs=2 --transactions=100', 0,
    [qr{processed: 600/600}], [qr{^(?!.*deadlock)}s],
    'sessions that share keys get along', { takes => script('takes', 300), mixes => script('mixes', 300) });
is(log_count($node, qr/deadlock detected/), 0, 'without a deadlock');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT key) FROM audiostore.operations'),
    '300|300', 'there is one delete for each key');
# So many that some of the statements queue packs and others, at the same time, rows.
$node->pgbench(
    '--no-vacuum --client=6 --jobs=2 --transactions=20', 0,
    [qr{processed: 120/120}], [qr{^(?!.*deadlock)}s],
    'so do statements of many keys', { many_takes => script('takes', 1500), many_mixes => script('mixes', 1500) });
is(log_count($node, qr/deadlock detected/), 0, 'without a deadlock');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT key) FROM audiostore.operations'),
    '1500|1500', 'there is one delete for each key');
cmp_ok($node->safe_psql('postgres', 'SELECT sum(key_count) FROM audiostore.operation_packs'), '>', 0, 'in packs, too');
$node->safe_psql('postgres', "CALL audiostore.run('outbox')");
is($node->safe_psql('postgres', 'SELECT count(*) FROM audiostore.operations'), '0', 'and all of them are done');
$node->stop('fast');

done_testing();
