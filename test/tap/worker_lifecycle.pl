# The launcher starts one worker for each database that has the extension, whatever happens to it.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use Audiostore::Workers;

my $node = new_server('main', conf => "max_prepared_transactions = 4\nrestart_after_crash = on");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(one two three);

ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'audiostore launcher'"),
    'the launcher runs');

# CREATE EXTENSION
$node->safe_psql('two', 'BEGIN; CREATE EXTENSION audiostore; ROLLBACK');
$node->safe_psql('one', 'CREATE EXTENSION audiostore');
my $pid = wait_for_worker($node, 'one');
ok($pid, 'a worker appears with CREATE EXTENSION');
is(worker_pid($node, 'two'), '', 'and none after a rolled back one');
is(
    $node->safe_psql('one', "SELECT database, state, pid, started_at <= since, last_error IS NULL FROM audiostore.worker_status"),
    "one|running|$pid|t|t",
    'worker_status shows it');
is($node->safe_psql('one', 'SELECT worker FROM audiostore.status'), 'running', 'so does status');
is($node->safe_psql('one', 'SELECT audiostore.wake()'), 't', 'it can be woken');
ok(
    $node->poll_query_until('postgres',
        "SELECT application_name = 'audiostore worker' AND state = 'idle' AND xact_start IS NULL FROM pg_stat_activity WHERE pid = $pid"),
    'pg_stat_activity names it, and it waits without a transaction');

$node->safe_psql('two', "BEGIN; CREATE EXTENSION audiostore; PREPARE TRANSACTION 'created'");
$node->safe_psql('postgres', 'SELECT 1');
is(worker_pid($node, 'two'), '', 'a prepared CREATE EXTENSION is not there yet');
$node->safe_psql('two', "COMMIT PREPARED 'created'");
ok(wait_for_worker($node, 'two'), 'COMMIT PREPARED brings a worker');

# Signals
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
my $next = wait_for_new_worker($node, 'one', $pid);
isnt($next, $pid, 'a terminated worker is started again');
$pid = $next;

$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$node->safe_psql('postgres', "SELECT pg_reload_conf()");
is(wait_for_worker($node, 'one'), $pid, 'a cancel and a reload leave it in place');

my $launcher = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore launcher'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok(
    $node->poll_query_until('postgres',
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'audiostore launcher' AND pid <> $launcher"),
    'a terminated launcher is started again');
is(worker_pid($node, 'one'), $pid, 'its workers stay');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$pid = wait_for_new_worker($node, 'one', $pid);
ok($pid, 'and the new launcher looks after them');

# A worker that waits for a lock hears SIGTERM all the same.
my $locker = $node->background_psql('one');
$locker->query_safe('BEGIN; LOCK TABLE audiostore.operations, audiostore.runs IN ACCESS EXCLUSIVE MODE');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'audiostore worker' AND datname = 'one' AND pid <> $pid AND wait_event_type = 'Lock'"),
    'a worker waits for a lock');
my $stuck = worker_pid($node, 'one');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($stuck)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $stuck"), 'and can be terminated');
$locker->quit;
$pid = wait_for_worker($node, 'one');
ok($pid, 'another one takes its place');

# Settings
$node->safe_psql('postgres', 'ALTER SYSTEM SET audiostore.enabled = off');
$node->reload;
wait_for_no_worker($node, $_) for qw(one two);
is($node->safe_psql('one', 'SELECT worker FROM audiostore.status'), 'disabled', 'audiostore.enabled = off ends the workers');
is($node->safe_psql('one', 'SELECT audiostore.wake()'), 'f', 'there is nobody to wake');
$node->safe_psql('postgres', "ALTER SYSTEM SET audiostore.databases = 'two, \"No such\"'");
$node->safe_psql('postgres', 'ALTER SYSTEM RESET audiostore.enabled');
$node->reload;
ok(wait_for_worker($node, 'two'), 'on starts them again');
is(worker_pid($node, 'one'), '', 'where audiostore.databases wants them');
$node->safe_psql('postgres', "ALTER SYSTEM RESET audiostore.databases");
$node->reload;
$pid = wait_for_worker($node, 'one');
ok($pid, 'a changed audiostore.databases is heard');

# DROP EXTENSION
$node->safe_psql('two', 'BEGIN; DROP EXTENSION audiostore; ROLLBACK');
ok(worker_pid($node, 'two'), 'a rolled back DROP EXTENSION leaves the worker');
$node->safe_psql('two', 'DROP EXTENSION audiostore');
wait_for_no_worker($node, 'two');
pass('the worker disappears with DROP EXTENSION');
$node->safe_psql('two', 'CREATE EXTENSION audiostore');
my $two = wait_for_worker($node, 'two');
$node->safe_psql('two', 'BEGIN; DROP EXTENSION audiostore; CREATE EXTENSION audiostore; COMMIT');
ok(wait_for_new_worker($node, 'two', $two), 'an extension that was replaced gets a new worker');
$node->safe_psql('two', 'DROP SCHEMA audiostore CASCADE; DROP EXTENSION IF EXISTS audiostore');
wait_for_no_worker($node, 'two');
pass('the worker disappears when the extension goes with its schema');

# The end
kill 'KILL', $pid;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'audiostore worker' AND pid <> $pid"),
    'after kill -9 and the restart of the server the worker is back');
$node->stop('fast');
is(log_count($node, qr/"audiostore worker[^\n]*exit code/), 0, 'no worker ended by an error');
is(log_count($node, qr/terminated by signal (?!9)/), 0, 'nothing crashed but what was killed');

# Nobody outlives the postmaster.
$node->start;
my @orphans = (wait_for_worker($node, 'one'),
    $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore launcher'"));
$node->kill9;
my $patience = 10 * $PostgreSQL::Test::Utils::timeout_default;
usleep(100_000) while (grep { kill 0, $_ } @orphans) && $patience-- > 0;
is((grep { kill 0, $_ } @orphans), 0, 'launcher and worker end with the postmaster');

done_testing();
