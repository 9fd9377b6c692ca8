# The worker looks: alerts that are told once for each crossing, samples without being asked, and progress while it works.
use strict;
use warnings;

use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::HttpServer;
use Audiostore::Node;

my $node = Audiostore::Node->new('watching', settings => { 'audiostore.alert_interval' => "'1s'", 'audiostore.accounting_interval' => "'1s'" });
$node->local_store('media');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub wait_for { my ($query, $what) = @_; $node->poll_query_until('postgres', $query) or die $what; return; }

# A session that listens, and what it was told.
my ($in, $out, $err) = ('', '', '');
my $listener = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err);
sub told {
    $in .= "SELECT 'asked';\n";
    my $before = () = $out =~ /^asked$/mg;
    $listener->pump until (() = $out =~ /^asked$/mg) > $before;
    return map { /"event" : "(\w+)", "name" : "([^"]*)", "subject" : "([^"]*)"/ ? "$1 $2 $3" : () } split /\n/, $out;
}
# Once it is that many: who listens hears of a commit a little later than others see it.
sub told_in_the_end {
    my ($count) = @_;
    my @told;
    for (1 .. 1000) {
        @told = told();
        last if @told >= $count;
        sleep 0.01;
    }
    return @told;
}
# What comes after the crossing that is meant: a look later, when it could have been told twice.
sub looks { my ($count) = @_; my $seen = sql("SELECT count(*) FROM audiostore.runs WHERE task = 'accounting'");
    wait_for("SELECT count(*) >= $seen + $count FROM audiostore.runs WHERE task = 'accounting'", 'the worker does not count'); return; }
$in .= "LISTEN audiostore_alerts;\n";
is_deeply([ told() ], [], 'nothing to tell yet');

sql(q{CREATE TABLE tracks (path text PRIMARY KEY, size bigint);
    SELECT audiostore.track('tracks', 'path', store => 'media', size_column => 'size');
    SELECT audiostore.add_alert('full', 'store_bytes', above => 1000, subject => 'media');
    INSERT INTO tracks VALUES ('a', 900)});
wait_for("SELECT bytes = 900 FROM audiostore.storage_now WHERE store = 'media'", 'no sample');
pass('the worker counts by itself');
looks(2);
is_deeply([ told() ], [], 'below the threshold: nothing');

# Over it, to and fro just below it, back, and over it again.
sub becomes { my ($size) = @_; sql("UPDATE tracks SET size = $size");
    wait_for("SELECT bytes = $size FROM audiostore.storage_now WHERE store = 'media'", "never $size"); looks(2); return; }
becomes(1001);
wait_for("SELECT count(*) = 1 FROM audiostore.alerts WHERE name = 'full' AND cleared_at IS NULL", 'no alert');
becomes($_) for 999, 1001, 960, 2000;
is_deeply([ told_in_the_end(1) ], ['raised full media'], 'a figure that swings around the threshold is told once');
is(sql("SELECT count(*), max(times) FROM audiostore.alerts WHERE name = 'full'"), '1|1', 'and is one alert');
becomes(950);
wait_for("SELECT count(*) = 0 FROM audiostore.alerts WHERE name = 'full' AND cleared_at IS NULL", 'never cleared');
is_deeply([ told_in_the_end(2) ], [ 'raised full media', 'cleared full media' ], 'back by the hysteresis: over, told once');
becomes(1001);
wait_for("SELECT count(*) = 1 FROM audiostore.alerts WHERE name = 'full' AND cleared_at IS NULL", 'no second alert');
is_deeply([ told_in_the_end(3) ], [ 'raised full media', 'cleared full media', 'raised full media' ], 'crossed again: told again');

# A restart in between is no crossing.
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker'");
sql("SELECT pg_terminate_backend($pid)");
wait_for("SELECT pid <> $pid FROM audiostore.worker_status WHERE state = 'running'", 'no new worker');
looks(2);
is(scalar(my @all = told()), 3, 'a worker that starts anew tells nothing again');
is(sql("SELECT audiostore.remove_alert('full')"), 't', 'removed');
is_deeply([ (told_in_the_end(4))[-1] ], ['cleared full media'], 'a rule that is removed clears its alert');

# Many sessions that look at once: one of them raises it.
sql(q{SELECT audiostore.add_alert('stuck', 'queue_length', above => 0)});
$node->append_conf('postgresql.conf', 'audiostore.enabled = off');
$node->reload;
wait_for("SELECT audiostore.worker_state() = 'disabled'", 'the worker does not leave');
sql(q{SELECT audiostore.put_object('media', 'x', 'y')});
my @looking = map { IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \'SELECT audiostore.evaluate_alerts()', '>', \my $o, '2>', \my $e) } 1 .. 8;
$_->finish for @looking;
is(scalar(grep { $_ eq 'raised stuck media' } told_in_the_end(5)), 1, 'eight looks at once tell it once');
is(sql("SELECT times FROM audiostore.alerts WHERE name = 'stuck'"), '1', 'and raise it once');
$listener->kill_kill;

# ---- progress -------------------------------------------------------------------------------------------------------

# A store that takes a while over each request, so that there is something to see.
my $server = Audiostore::HttpServer->start(sub {
    my ($request) = @_;
    return 'hang' if $request->{method} eq 'PUT';
    return [ 200, {}, '' ];
});
my $url = $server->url;
sql(qq{CREATE SERVER remote FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'bucket', region 'r', endpoint '$url', addressing 'path');
    CREATE USER MAPPING FOR PUBLIC SERVER remote OPTIONS (access_key_id 'k', secret_access_key 's')});
sql(q{SELECT audiostore.put_object('remote', 'slow', 'bytes'); SELECT audiostore.put_object('remote', 'slow2', 'bytes')});
$node->append_conf('postgresql.conf', 'audiostore.enabled = on');
$node->reload;
wait_for(q{SELECT EXISTS (SELECT FROM audiostore.progress WHERE task = 'outbox' AND total >= 2)}, 'no progress of the outbox');
is(sql(q{SELECT task, unit, pid = (SELECT pid FROM audiostore.worker_status), total >= done + 2, rate >= 0, started_at <= now() FROM audiostore.progress WHERE task = 'outbox'}),
    'outbox|operations|t|t|t|t', 'the drain shows');

# A process that is gone shows nothing, though it ran no destructor.
$pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker'");
sql("SELECT pg_terminate_backend($pid)");
wait_for("SELECT NOT EXISTS (SELECT FROM audiostore.progress WHERE pid = $pid)", 'a lost process is in the way');
pass('what has ended is not in progress');

# A policy counts its rows while it runs.
sql(q{CREATE TABLE old (id integer PRIMARY KEY, path text, made timestamptz); CREATE INDEX ON old (made);
    INSERT INTO old SELECT n, NULL, now() - interval '1 year' FROM generate_series(1, 300000) n});
my $policy = sql(q{SELECT audiostore.add_retention_policy('old', '1 day', 'made')});
wait_for(qq{SELECT EXISTS (SELECT FROM audiostore.progress WHERE task = 'policies' AND subject LIKE 'retention policy $policy of relation %old' AND done > 0)}, 'no progress of the policy');
wait_for("SELECT last_rows = 300000 FROM audiostore.policies WHERE id = $policy", 'the policy does not end');
wait_for("SELECT NOT EXISTS (SELECT FROM audiostore.progress WHERE task = 'policies')", 'the policy stays in progress');
pass('a policy');
$server->stop if $server->can('stop');
$node->stop('immediate');
done_testing();
