# Sixteen claimants that are killed, cut off and crashed at random: no job runs in two places under a valid lease, none
# is lost, each takes effect once. Each run is recorded in the transaction that claims the job, with its lease.
use strict;
use warnings;

use IPC::Open3 qw(open3);
use POSIX qw(_exit WNOHANG);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Audiostore::Node;

my $claimants = 16;
my $jobs = 500;

my $node = Audiostore::Node->new('jobs', settings => {'audiostore.enabled' => 'off', restart_after_crash => 'on', max_connections => 60});
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE runs (job bigint, claim bigint, worker text, started timestamptz, lease_end timestamptz, ended timestamptz,
    PRIMARY KEY (job, claim));
CREATE TABLE effects (job bigint PRIMARY KEY, claim bigint);
SELECT count(audiostore.enqueue_job('work', jsonb_build_object('n', n), priority => n % 3, max_attempts => 1000))
FROM generate_series(1, $jobs) n;
SQL

# Who listens is told at the commit, once for each type.
my $told = $node->safe_psql('postgres', "LISTEN audiostore_jobs; BEGIN;
    SELECT audiostore.enqueue_job('a'), audiostore.enqueue_job('b'), audiostore.enqueue_job('a'); COMMIT;
    BEGIN; SELECT audiostore.enqueue_job('c'); ROLLBACK");
is_deeply([sort $told =~ /notification "audiostore_jobs" with payload "(\w+)"/g], ['a', 'b'], 'NOTIFY');
$node->safe_psql('postgres', "DELETE FROM audiostore.jobs WHERE job_type IN ('a', 'b')");

# ---- a claimant: a process of its own, with a session for each step, that goes on after every error ------------------

# One statement in one session, whatever becomes of it; '' when it failed.
sub ask {
    my ($sql) = @_;
    my @psql = ('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql);
    my $pid = open3(my $in, my $out, undef, @psql);
    close $in;
    my $answer = do { local $/ = undef; <$out> };
    waitpid $pid, 0;
    chomp $answer if defined $answer;
    return $? == 0 ? $answer // '' : '';
}

sub claim_one {
    my ($worker) = @_;
    my $answer = ask(
        "INSERT INTO runs SELECT id, claim, worker, started_at, leased_until
         FROM audiostore.claim_jobs('{work}', '$worker', '1 second') RETURNING job || ' ' || claim");
    return $answer =~ /^(\d+) (\d+)$/ ? ($1, $2) : ();
}

sub work_as {
    my ($worker) = @_;
    while (1) {
        my ($job, $claim) = claim_one($worker);
        if (!defined $job) {
            sleep rand 0.1;
            next;
        }
        my $run = "job = $job AND claim = $claim";
        my $dice = rand;
        sleep rand 0.05;
        if ($dice < 0.1) {
            ask("UPDATE runs SET lease_end = audiostore.heartbeat_job($job, '$worker', '1 second', $claim) WHERE $run");
        } elsif ($dice < 0.2) {
            sleep 1 + rand 0.5;    # hangs until its lease is over, and then goes on as if nothing had happened
        } elsif ($dice < 0.25) {
            ask("SELECT audiostore.fail_job($job, '$worker', 'by chance', true, $claim);
                 UPDATE audiostore.jobs SET not_before = least(not_before, clock_timestamp() + interval '1 second') WHERE id = $job;
                 UPDATE runs SET ended = clock_timestamp() WHERE $run");
            next;
        }
        ask("BEGIN; SELECT audiostore.complete_job($job, '$worker', NULL, $claim);
             INSERT INTO effects VALUES ($job, $claim);
             UPDATE runs SET ended = clock_timestamp() WHERE $run; COMMIT");
    }
    return;
}

sub start_claimant {
    my ($number) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    setpgrp;
    srand($$ ^ $number);
    # All of one name: the number of the claim tells them apart.
    eval { work_as('worker'); };
    _exit(1);
}

# ---- and who kills them ----------------------------------------------------------------------------------------

# Its process group: with its session's client.
sub kill_claimant {
    my ($pid) = @_;
    kill 'KILL', -$pid, $pid;
    waitpid $pid, 0;
    return;
}

my @pids = map { start_claimant($_) } 1 .. $claimants;
my %killed = (claimant => 0, session => 0, server => 0);
my $deadline = time + 200;
my $done = 0;
while (time < $deadline && $done < $jobs) {
    my $dice = $killed{server} == 0 && $done > $jobs / 2 ? 1 : rand;
    if ($dice < 0.5) {
        my $victim = int rand $claimants;
        kill_claimant($pids[$victim]);
        $pids[$victim] = start_claimant($victim + 1);
        $killed{claimant}++;
    } elsif ($dice < 0.9) {
        $killed{session} += ask("SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 3) AS victims") || 0;
    } elsif ($killed{server} < 3 && $done > $jobs / 10) {
        # A backend killed by force takes the whole server through crash recovery.
        my $backend = ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'
            AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1");
        if ($backend =~ /^(\d+)$/ && kill 'KILL', $1) {
            $killed{server}++;
            $node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
        }
    }
    sleep rand 0.2;
    my $count = ask("SELECT count(*) FROM audiostore.jobs WHERE state = 'done'");
    $done = $count if $count =~ /^\d+$/;
}
kill_claimant($_) for @pids;
note(join ', ', map { "$killed{$_} of $_" } sort keys %killed);

is($done, $jobs, 'every job is done in the end');
cmp_ok($killed{$_}, '>', 0, "killed: $_") for sort keys %killed;
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT job) FROM effects'), "$jobs|$jobs", 'each took effect once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM effects e JOIN audiostore.jobs j ON j.id = e.job AND j.claim = e.claim'),
    $jobs, 'by its last claimant');
is($node->safe_psql('postgres', "SELECT count(*) FROM audiostore.jobs j WHERE state <> 'done' OR attempts <> claim
    OR attempts <> (SELECT count(*) FROM runs r WHERE r.job = j.id)"), '0', 'every attempt was counted, and none but those');
is($node->safe_psql('postgres', <<'SQL'), '0', 'no job was handed out while somebody had a valid lease of it');
    SELECT count(*) FROM (
        SELECT started, least(lag(lease_end) OVER history, lag(ended) OVER history) AS free_since
        FROM runs WINDOW history AS (PARTITION BY job ORDER BY claim)) AS r
    WHERE started < free_since
SQL
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM runs WHERE ended IS NULL'), '>', 0,
    'some claimants never came back: their leases ended');

$node->stop;
done_testing();
