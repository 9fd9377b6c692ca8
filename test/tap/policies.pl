# Expiry by the worker: old files go, young ones and those of live rows stay, however often the worker is killed; a full
# queue is waited for; a store that fails or lies does no harm.
use strict;
use warnings;

use File::Path qw(make_path);
use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::HttpServer;
use Audiostore::Node;

my $node = Audiostore::Node->new('policies', settings => { restart_after_crash => 'on', log_min_messages => 'warning' });
my $root = $node->local_store('cache');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# undef while the server does not take connections.
sub ask {
    my ($query) = @_;
    my ($out, $err);
    my $ok = IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $query ], '<', \'', '>', \$out, '2>', \$err);
    chomp $out;
    return $ok ? $out : undef;
}

sub wait_for {
    my ($query, $what) = @_;
    $node->poll_query_until('postgres', $query) or die $what;
    return;
}

# A file that was last written so many hours ago.
sub file {
    my ($key, $hours) = @_;
    my $path = "$root/$key";
    make_path($path =~ s{/[^/]*$}{}r);
    open my $out, '>', $path or die "$path: $!";
    print $out 'sound';
    close $out;
    my $time = time - 3600 * $hours;
    utime $time, $time, $path or die "$path: $!";
    return;
}

# ---- the worker does it by itself ---------------------------------------------------------------------------------

file('playout/old', 25);
file('playout/young', 23);
file('playout/held', 25);
file('playout2/old', 25);
sql(q{CREATE TABLE rows (key text); SELECT audiostore.track('rows', 'key', store => 'cache'); INSERT INTO rows VALUES ('playout/held')});
my $policy = sql(q{SELECT audiostore.add_expiry_policy('cache', 'playout/', '24 hours')});
wait_for("SELECT last_result = 'done' FROM audiostore.policy_status WHERE id = $policy", 'the worker does not run the policy');
ok($node->wait_until_drained, 'the worker hears of a new policy');
is_deeply([ $node->files('cache') ], [ 'playout/held', 'playout/young', 'playout2/old' ], 'the old file goes, and no other');
is(sql("SELECT state, last_rows, last_bytes, last_kept FROM audiostore.policy_status WHERE id = $policy"), 'waiting|1|5|1',
    'its status counts them');
sql("SELECT audiostore.alter_policy($policy, schedule => '1 second')");
file('playout/later', 25);
$node->poll_query_until('postgres', "SELECT (audiostore.head_object('cache', 'playout/later')).size IS NULL")
  or die 'the policy does not run again';
pass('it runs again when its time comes');
sql('DELETE FROM rows');
$node->poll_query_until('postgres', "SELECT (audiostore.head_object('cache', 'playout/held')).size IS NULL") or die 'not released';
sql("SELECT audiostore.remove_policy($policy)");

# ---- a queue that is full, and kills ------------------------------------------------------------------------------

my $files = 22_000;
file(sprintf('many/%05d', $_), 50) for 0 .. $files - 1;
file("many/young-$_", 1) for 0 .. 9;
sql(q{INSERT INTO rows SELECT 'many/' || lpad((n * 100)::text, 5, '0') FROM generate_series(0, 99) n});
$node->append_conf('postgresql.conf', 'audiostore.enabled = off');
$node->reload;
wait_for("SELECT audiostore.worker_state() = 'disabled'", 'the worker does not leave');
$policy = sql(q{SELECT audiostore.add_expiry_policy('cache', 'many/', '48 hours')});
is(sql("SELECT rows, bytes FROM audiostore.preview_policy($policy)"), sprintf('%d|%d', $files - 100, 5 * ($files - 100)),
    'the preview looks at all pages, and knows live rows');
sql("CALL audiostore.run('policies')");
my $queued = sql('SELECT count(*) FROM audiostore.pending_operations');
cmp_ok($queued, '<=', 10_000, 'no more are queued than may be');
cmp_ok($queued, '>', 8_000, 'but many');
is(sql("SELECT state, resume_after > 'many/' FROM audiostore.policy_status JOIN audiostore.policies USING (id) WHERE id = $policy"),
    'due|t', 'the rest is left for the next run');
sql("CALL audiostore.run('policies')");
is(sql('SELECT count(*) FROM audiostore.pending_operations'), $queued, 'which waits as well');
$node->append_conf('postgresql.conf', 'audiostore.enabled = on');
$node->reload;

my %killed;
my $most = 0;
for (1 .. 3000) {
    my $line = ask("SELECT count(*) FILTER (WHERE not_before <= now()), (SELECT last_result IS NOT DISTINCT FROM 'done' AND state = 'waiting'
        FROM audiostore.policy_status WHERE id = $policy) FROM audiostore.operations") // next;
    my ($due, $done) = split /\|/, $line;
    $most = $due if $due > $most;
    last if $done eq 't' && $due == 0;
    my $pid = ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker'
        AND EXISTS (SELECT FROM audiostore.policies WHERE claimed_by = pid)");
    $killed{$pid} = 1 if keys %killed < 4 && $pid && !$killed{$pid} && kill 'KILL', $pid;
    sleep 0.05;
}
is(scalar keys %killed, 4, 'the worker was killed again and again');
cmp_ok($most, '<=', 10_000, 'the queue was never fuller than it may be');
ok($node->wait_until_drained(120), 'then all deletes are carried out');
my @left = map { sprintf 'many/%05d', $_ * 100 } 0 .. 99;
is_deeply([ grep { /^many/ } $node->files('cache') ], [ sort @left, map { "many/young-$_" } 0 .. 9 ],
    'every old file is gone, but for those of live rows');
is(sql("SELECT count(*) FROM audiostore.policies WHERE claimed_by IS NOT NULL"), '0', 'no claim is left');
cmp_ok(sql("SELECT count(*) FROM audiostore.runs WHERE task LIKE 'policies: expiry $policy %' AND finished_at IS NULL"), '>=', 1,
    'a run that was killed has no end');
is(sql('SELECT count(*) FROM audiostore.dead_operations'), '0', 'no operation was given up');
sql("SELECT audiostore.remove_policy($policy)");

# ---- stores that fail, hang and lie -------------------------------------------------------------------------------

sub answer {
    my ($more, @keys) = @_;
    my $contents = join '', map {
        "<Contents><Key>$_</Key><LastModified>2020-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
    } @keys;
    my $token = $more ? "<NextContinuationToken>$keys[-1]</NextContinuationToken>" : '';
    return [ 200, { 'Content-Type' => 'application/xml' },
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
          . '<Name>bucket</Name><IsTruncated>' . ($more ? 'true' : 'false') . "</IsTruncated>$token$contents</ListBucketResult>" ];
}

my $mood = File::Temp->new;
sub mood { my ($word) = @_; open my $out, '>', "$mood" or die $!; print $out $word; close $out; return; }
my $server = Audiostore::HttpServer->start(sub {
    my ($request) = @_;
    open my $in, '<', "$mood" or die $!;
    my $word = <$in> // '';
    my $list = $request->{method} eq 'GET';
    my $second = $request->{target} =~ /(?:continuation-token|start-after)=/;
    return 'hang' if $word eq 'hang';
    return [ 403, {}, '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' ] if $word eq 'refuse';
    if ($list && $word eq 'half') { return $second ? [ 500, {}, '' ] : answer(1, 'tmp/a', 'tmp/b'); }
    if ($list && $word eq 'circle') { return answer(1, 'tmp/a'); }
    if ($list && $word eq 'lie') { return answer(0, 'final/precious', 'tmp/c'); }
    return answer(0) if $list;
    return [ 200, {}, '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></DeleteResult>' ] if $request->{method} eq 'POST';
    return [ 204, {}, '' ];
});
my $url = $server->url;
sql(qq{CREATE SERVER remote FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'bucket', region 'r', endpoint '$url', addressing 'path', max_retry_delay '1s');
    CREATE USER MAPPING FOR PUBLIC SERVER remote OPTIONS (access_key_id 'k', secret_access_key 'hush-hush')});

mood('refuse');
$policy = sql(q{SELECT audiostore.add_expiry_policy('remote', 'tmp/', '1 hour', '1 second')});
sub status { return sql("SELECT last_result, last_error FROM audiostore.policy_status WHERE id = $policy"); }
sub result_is {
    my ($result) = @_;
    wait_for("SELECT last_result = '$result' AND state <> 'running' FROM audiostore.policy_status WHERE id = $policy", "never $result");
    return;
}
result_is('failed');
like(status(), qr/denied|no$/i, 'a store that refuses: the policy says so');
unlike(status(), qr/hush/, 'without its secrets');
is(sql("SELECT count(*) FROM audiostore.alerts WHERE name = 'policy_failed' AND cleared_at IS NULL"), '1', 'and raises an alert');
cmp_ok(sql("SELECT EXTRACT(epoch FROM next_run_at - last_finished_at) FROM audiostore.policies WHERE id = $policy"), '>=', 9,
    'it is left in peace for a while, whatever the schedule');
my $asked = grep { $_->{method} eq 'GET' } $server->requests;
cmp_ok($asked, '<=', 5, 'and was not asked often');

sub again { my ($word) = @_; mood($word); sql("SELECT audiostore.alter_policy($policy, enabled => false); SELECT audiostore.alter_policy($policy, enabled => true);
    UPDATE audiostore.policies SET last_error = NULL, last_finished_at = NULL WHERE id = $policy"); return; }
again('half');
result_is('failed');
ok($node->wait_until_drained, 'a store that dies in mid-listing');
is(sql("SELECT last_rows FROM audiostore.policies WHERE id = $policy"), '2', 'what it had listed before is dealt with');
ok((grep { $_->{method} eq 'POST' } $server->requests), 'and deleted');
again('circle');
result_is('failed');
like(status(), qr/circles|order/, 'a listing without end is noticed');
again('lie');
wait_for("SELECT last_result IS NOT NULL AND state <> 'running' FROM audiostore.policy_status WHERE id = $policy", 'no end of a lie');
ok($node->wait_until_drained, 'a store that lists what it was not asked for');
is((grep { $_->{method} eq 'DELETE' && $_->{target} =~ /precious/ } $server->requests), 0, 'nothing outside of the prefix is deleted');
is(sql("SELECT last_rows <= 1 FROM audiostore.policies WHERE id = $policy"), 't', 'or counted');
again('empty');
result_is('done');
is(sql("SELECT count(*) FROM audiostore.alerts WHERE name = 'policy_failed' AND cleared_at IS NULL"), '0', 'a good run clears the alert');

mood('hang');
sql("SELECT audiostore.run_policy($policy)");
wait_for("SELECT state = 'running' FROM audiostore.policy_status WHERE id = $policy", 'not claimed');
wait_for(q{SELECT xact_start IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE backend_type = 'audiostore worker'},
    'the worker waits inside a transaction');
pass('no transaction is open while it waits for the store');
$node->append_conf('postgresql.conf', 'audiostore.enabled = off');
$node->reload;
wait_for("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'audiostore worker')", 'the worker does not leave');
is(sql("SELECT claimed_by IS NULL AND leased_until IS NULL AND last_error IS NULL FROM audiostore.policies WHERE id = $policy"), 't',
    'a worker that ends gives the policy back');
$node->stop;
done_testing();
