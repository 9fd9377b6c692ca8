# Without shared_preload_libraries there is no worker, and everything that SQL offers works.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Workers;

my $node = new_server('bare', preload => 0);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION audiostore');
is($node->safe_psql('postgres', 'SELECT count(*) FROM audiostore.worker_status'), '0', 'no workers');
is($node->safe_psql('postgres', 'SELECT audiostore.wake()'), 'f', 'nobody to wake');
is($node->safe_psql('postgres', 'SELECT objects, bytes, pending, oldest_pending, dead, alerts, worker FROM audiostore.status'),
    '0|0|0||0|0|not preloaded', 'status in one row');

is($node->psql('postgres', 'CALL audiostore.run()'), 0, 'run() does all that is due');
is($node->psql('postgres', "CALL audiostore.run('$_')"), 0, "run('$_') works")
  for qw(outbox expiry policies audits accounting mastering);
my ($code, $output, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nCALL audiostore.run('outboxes')");
like($error, qr/22023: unknown task "outboxes".*HINT:  Valid tasks are outbox, /s, 'an unknown task is refused');
($code, $output, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN;\nCALL audiostore.run();");
like($error, qr/2D000: audiostore.run cannot run inside a transaction block/, 'so is a transaction block');
$node->safe_psql('postgres', "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL audiostore.run(); END'");
($code, $output, $error) = $node->psql('postgres', 'SELECT f()');
like($error, qr/cannot run inside a transaction block/, 'and a function');
$node->safe_psql('postgres', "CREATE ROLE somebody");
($code, $output, $error) = $node->psql('postgres', 'SET ROLE somebody; CALL audiostore.run()');
like($error, qr/permission denied/, 'and somebody without the privilege');

$node->safe_psql('postgres', <<'SQL');
INSERT INTO audiostore.runs (task, started_at) VALUES ('old', now() - interval '31 days'), ('young', now() - interval '29 days');
INSERT INTO audiostore.alerts (name, message, raised_at, cleared_at) VALUES ('old', 'm', '2000-01-01', '2000-01-01'),
    ('open', 'm', '2000-01-01', NULL), ('young', 'm', '2000-01-01', now());
CALL audiostore.run('expiry');
SQL
is($node->safe_psql('postgres', "SELECT string_agg(task, ',' ORDER BY id) FROM audiostore.runs WHERE task IN ('old', 'young')"), 'young', 'old runs go');
is($node->safe_psql('postgres', "SELECT string_agg(name, ',' ORDER BY id) FROM audiostore.alerts"), 'open,young', 'so do old alerts that are cleared');

$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql('postgres', 'DROP DATABASE copy');
$node->safe_psql('postgres', 'DROP EXTENSION audiostore');
$node->stop;

done_testing();
