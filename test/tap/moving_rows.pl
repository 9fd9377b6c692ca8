# Rows that are moved all the time (updated, with a new index entry each time) keep their objects, whatever is queued
# against them: whoever looks for the holder of a key finds the row, or at least that something is going on.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Workers;

my $node = new_server('main', conf => "audiostore.enabled = off\nautovacuum = off");
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
my $rows = 400;
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION audiostore;
CREATE SERVER media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '$root');
CREATE TABLE takes (key text PRIMARY KEY, plays bigint NOT NULL DEFAULT 0);
CREATE INDEX ON takes (plays);
SELECT audiostore.track('takes', 'key', store => 'media');
INSERT INTO takes (key) SELECT 'take ' || i FROM generate_series(1, $rows) i;
SELECT count(audiostore.put_object('media', key, 'audio')) FROM takes;
CALL audiostore.run('outbox');
SQL
sub files { return scalar(grep { -f } glob("'$root'/*")) }
is(files(), $rows, 'an object for each row');

# Deletes that nothing asked for, as a lost race would leave them: whoever carries them out has to see the rows.
my $script = $node->basedir . '/claim.sql';
append_to_file($script, <<'SQL');
INSERT INTO audiostore.operation_rows (kind, store, key) SELECT 'delete', 'media', key FROM takes ON CONFLICT DO NOTHING;
CALL audiostore.run('outbox');
UPDATE audiostore.operation_rows SET not_before = now();
SQL
my $mover = $node->basedir . '/move.sql';
append_to_file($mover, "\\set i random(1, $rows)\nUPDATE takes SET plays = plays + 1 WHERE key = 'take ' || :i;\n");
my @connection = ('--no-vacuum', '--host', $node->host, '--port', $node->port, 'postgres');
my ($moves, $claims) = ('', '');
my $moving = IPC::Run::start(['pgbench', '--client=4', '--jobs=2', '--time=8', "--file=$mover", @connection], '>', \$moves, '2>&1');
my $claiming = IPC::Run::start(['pgbench', '--client=1', '--time=7', "--file=$script", @connection], '>', \$claims, '2>&1');
$_->finish for $claiming, $moving;
my ($moved) = $moves =~ /processed: (\d+)/;
my ($claimed) = $claims =~ /processed: (\d+)/;
cmp_ok($moved, '>', 100, 'rows moved') or diag $moves;
cmp_ok($claimed, '>', 2, 'while deletes of their keys were claimed') or diag $claims;
is(files(), $rows, 'and every object is still there');
note "$moved moves, $claimed claims";

$node->safe_psql('postgres', 'DELETE FROM takes');
$node->safe_psql('postgres', 'UPDATE audiostore.operation_rows SET not_before = now()');
$node->safe_psql('postgres', q{CALL audiostore.run('outbox')});
is(files(), 0, 'until their rows go');
$node->stop('fast');

done_testing();
