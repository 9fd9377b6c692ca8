# Statements that need a database without connections are not held up by its worker, which comes back afterwards.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Workers;

my $node = new_server('main');
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN; CREATE ROLE creator LOGIN CREATEDB');
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('one', 'CREATE EXTENSION audiostore');
my $pid = wait_for_worker($node, 'one');

# Copies
$node->safe_psql('postgres', 'CREATE DATABASE two TEMPLATE one');
ok(wait_for_new_worker($node, 'one', $pid), 'CREATE DATABASE TEMPLATE succeeds and the worker comes back');
ok(wait_for_worker($node, 'two'), 'the copy gets a worker of its own');
$node->safe_psql('one', 'CREATE DATABASE three TEMPLATE one STRATEGY file_copy');
ok(wait_for_worker($node, 'three'), 'the database of the session itself can be copied');

# Renames and moves
$pid = wait_for_worker($node, 'two');
$node->safe_psql('postgres', 'ALTER DATABASE two RENAME TO renamed');
ok(wait_for_worker($node, 'renamed'), 'ALTER DATABASE RENAME succeeds and a worker comes back');
is($node->safe_psql('one', "SELECT count(*) FROM audiostore.worker_status WHERE database = 'two'"), '0', 'none is left of the old name');
my $space = PostgreSQL::Test::Utils::tempdir_short();
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
$node->safe_psql('postgres', 'ALTER DATABASE renamed SET TABLESPACE elsewhere');
ok(wait_for_worker($node, 'renamed'), 'ALTER DATABASE SET TABLESPACE succeeds and a worker comes back');

# Drops
$node->safe_psql('postgres', 'DROP DATABASE renamed');
is($node->safe_psql('one', "SELECT count(*) FROM audiostore.worker_status WHERE database <> 'one' AND database <> 'three'"),
    '0', 'DROP DATABASE succeeds and its worker is gone');
wait_for_worker($node, 'three');
$node->safe_psql('postgres', 'DROP DATABASE three WITH (FORCE)');
is($node->safe_psql('one', "SELECT count(*) FROM audiostore.worker_status WHERE database <> 'one'"), '0', 'so does DROP DATABASE WITH (FORCE)');
is(log_count($node, qr/database \d+ does not exist/), 0, 'no worker was started in a database that was gone');

# Statements that fail
$pid = wait_for_worker($node, 'one');
my $session = $node->background_psql('one');
my ($code, $output, $error) = $node->psql('postgres', 'ALTER DATABASE one RENAME TO other');
like($error, qr/being accessed by other users/, 'a session still holds up ALTER DATABASE RENAME');
$session->quit;
ok($pid = wait_for_new_worker($node, 'one', $pid), 'the worker comes back after a statement that failed');

($code, $output, $error) = $node->psql('postgres', 'DROP DATABASE one', extra_params => [ '-U', 'nobody' ]);
like($error, qr/must be owner/, 'somebody else cannot drop the database');
($code, $output, $error) = $node->psql('postgres', 'DROP DATABASE one', extra_params => [ '-U', 'creator' ]);
like($error, qr/must be owner/, 'nor can somebody who may create databases');
($code, $output, $error) = $node->psql('postgres', 'CREATE DATABASE copy TEMPLATE one', extra_params => [ '-U', 'nobody' ]);
like($error, qr/permission denied/, 'nor copy it');
is(worker_pid($node, 'one'), $pid, 'nor disturb its worker');
($code, $output, $error) = $node->psql('postgres', 'BEGIN; DROP DATABASE one; ROLLBACK');
like($error, qr/transaction block/, 'DROP DATABASE in a transaction block fails');
ok($pid = wait_for_worker($node, 'one'), 'and leaves a worker');

# A worker that does not react
kill 'STOP', $pid;
($code, $output, $error) = $node->psql('postgres', "SET statement_timeout = '200ms'; ALTER DATABASE one RENAME TO other");
like($error, qr/canceling statement due to statement timeout/, 'waiting for a worker that hangs can be cancelled');
kill 'CONT', $pid;
ok($pid = wait_for_new_worker($node, 'one', $pid), 'and the worker comes back');

# Databases that nobody can connect to, and templates
$node->safe_psql('postgres', 'ALTER DATABASE one ALLOW_CONNECTIONS false');
wait_for_no_worker($node, 'one');
pass('a database that takes no connections loses its worker');
$node->safe_psql('postgres', 'ALTER DATABASE one ALLOW_CONNECTIONS true');
ok(wait_for_worker($node, 'one'), 'and has one again later');
$node->safe_psql('postgres', 'ALTER DATABASE one IS_TEMPLATE true');
wait_for_no_worker($node, 'one');
pass('a template has no worker');
$node->append_conf('postgresql.conf', "audiostore.databases = 'one'");
$node->reload;
ok(wait_for_worker($node, 'one'), 'unless it is named');
$node->append_conf('postgresql.conf', "audiostore.databases = ''");
$node->safe_psql('postgres', 'ALTER DATABASE one IS_TEMPLATE false');
$node->reload;

# Many at once
my @churn = map { "churn$_" } 1 .. 5;
for my $round (1 .. 3) {
    $node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE one") for @churn;
    $node->safe_psql('postgres', "DROP DATABASE $_") for reverse @churn;
}
ok(wait_for_worker($node, 'one'), 'databases that come and go leave the others alone');
is($node->safe_psql('one', "SELECT string_agg(database, ',') FROM audiostore.worker_status"), 'one', 'and nothing behind');
$node->stop;

# Too many databases: two background workers are left beside the two launchers.
my $small = new_server('small', conf => 'max_worker_processes = 4');
$small->start;
my @databases = map { "db$_" } 1 .. 4;
for my $database (@databases) {
    $small->safe_psql('postgres', "CREATE DATABASE $database");
    $small->safe_psql($database, 'CREATE EXTENSION audiostore');
}
ok(
    $small->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'audiostore worker'"),
    'as many workers run as there is room for');
$small->wait_for_log(qr/no background worker left for audiostore in database "db\d"\n.*HINT:  Increase max_worker_processes/);
my $free = $small->safe_psql('postgres',
    "SELECT datname FROM pg_stat_activity WHERE backend_type = 'audiostore worker' ORDER BY 1 LIMIT 1");
$small->safe_psql($free, 'DROP EXTENSION audiostore');
ok(
    $small->poll_query_until('postgres',
        "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'audiostore worker' AND datname <> '$free'"),
    'a place that becomes free is taken');
$small->stop;

done_testing();
