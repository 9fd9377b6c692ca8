# Temporary objects and the worker: leases end by themselves; a promotion survives that the worker is killed before and
# after each request that it sends, a store that dies or lies, and a session that has its row locked. Never are both
# copies gone, never is a sidecar alone, and in the end there is one copy.
use strict;
use warnings;

use File::Temp ();
use IPC::Run ();
use PostgreSQL::Test::Utils ();
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::FakeS3;
use Audiostore::Node;

my $node = Audiostore::Node->new('temporary', settings => { restart_after_crash => 'on', log_min_messages => 'warning' });
my $audio = 'the sound of it ' x 1000;

# ---- a store that kills the worker, dies or lies, as the file says ------------------------------------------------

my $orders = File::Temp->newdir('orders-XXXXXX', TMPDIR => 1);
sub order { my ($name, $word) = @_; open my $out, '>', "$orders/$name.new" or die $!; print $out $word; close $out; rename "$orders/$name.new", "$orders/$name"; return; }
sub ordered { my ($name) = @_; open my $in, '<', "$orders/$name" or return ''; return <$in> // ''; }
sub note_down { my ($name, $line) = @_; open my $out, '>>', "$orders/$name" or die $!; print $out "$line\n"; close $out; return; }
sub noted { my ($name) = @_; open my $in, '<', "$orders/$name" or return (); chomp(my @lines = <$in>); return @lines; }
sub forget { unlink map { "$orders/$_" } @_; return; }

# What has to hold at any moment once the audio is there: somewhere it is whole, and a sidecar is beside it.
sub look_around {
    my ($dir, $when) = @_;
    return unless ordered('watch');
    my $objects = Audiostore::FakeS3::objects_in($dir);
    my $at_home = ordered('watch') eq 'disk' && grep { -s $_ == length $audio } glob ordered('disk') . '/*.wav';
    my @whole = grep { $objects->{$_} eq $audio } keys %$objects;
    note_down('violations', "$when: no copy is left") unless @whole || $at_home;
    note_down('violations', "$when: a sidecar is alone")
      if grep({ /_metadata\.json$/ } keys %$objects) && !grep({ m{^library/} } @whole);
    return;
}

sub interfere {
    my ($request, $carry_out) = @_;
    my $dir = ordered('dir');
    my $mood = ordered('mood');
    my $writes = $request->{method} eq 'PUT' && $request->{target} =~ m{/library/} && $request->{target} !~ /json/;
    return [503, {}, '<Error><Code>ServiceUnavailable</Code></Error>'] if $mood eq 'dead';
    return [501, {}, '<Error><Code>NotImplemented</Code><Message>no</Message></Error>'] if $mood eq 'refuse' && $writes;
    return [200, {ETag => '"x"'}, '<CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>'] if $mood eq 'forget' && $writes;
    my ($step, $when, $pid) = split / /, ordered('kill');
    if ($pid) {
        note_down('steps', "$request->{method} $request->{target}");
        my $now = noted('steps') == $step;
        look_around($dir, "before step $step");
        if ($now && $when eq 'before') { note_down('killed', $pid); kill 'KILL', $pid; return 'reset'; }
        my $answer = $carry_out->();
        look_around($dir, "after step $step");
        if ($now) { note_down('killed', $pid); kill 'KILL', $pid; return 'reset'; }
        return $answer;
    }
    my $answer = $carry_out->();
    if ($mood =~ /^(?:short|garbled)$/ && $writes) {
        my ($key) = $request->{target} =~ m{^/bucket/(.*)$};
        Audiostore::FakeS3::write_object($dir, $key, $mood eq 'short' ? substr($audio, 1) : 'X' . substr($audio, 1));
    }
    return $answer;
}
my $s3 = Audiostore::FakeS3->start(\&interfere);
order('dir', $s3->dir);

# ---- questions ------------------------------------------------------------------------------------------------------

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
    for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default) {
        return 1 if (ask("SELECT ($query)") // '') eq 't';
        sleep 0.1;
    }
    diag("waited in vain: $what");
    diag(ask('SELECT * FROM audiostore.pending_operations') // '');
    diag(ask('SELECT key, state, last_error FROM audiostore.temporary_objects') // '');
    return 0;
}

sub worker { return ask(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker' AND state = 'idle'}) || undef; }
sub wait_for_worker { for (1 .. 600) { if (my $pid = worker()) { return $pid; } sleep 0.1; } die 'no worker'; }
my $nothing_pending = 'NOT EXISTS (SELECT FROM audiostore.pending_operations)';

my $disk = $node->local_store('disk');
order('disk', $disk);
my $url = $s3->url;
foreach my $store (qw(scratch library)) {
    sql(qq{CREATE SERVER $store FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bucket', region 'r',
            endpoint '$url', addressing 'path', prefix '$store/', max_retry_delay '200ms', max_attempts '1000');
        CREATE USER MAPPING FOR PUBLIC SERVER $store OPTIONS (access_key_id 'k', secret_access_key 's')});
}
sql(q{CREATE TABLE paragraphs (id int PRIMARY KEY, audio text, metadata text GENERATED ALWAYS AS (audiostore.sidecar_key(audio)) STORED);
    SELECT audiostore.track('paragraphs', 'audio', store => 'library'), audiostore.track('paragraphs', 'metadata', store => 'library')});

# A temporary object that is in its store.
sub made_in {
    my ($store) = @_;
    my $key = sql("SELECT key FROM audiostore.create_temporary_object('$store', '.wav')");
    sql("SELECT audiostore.put_object('$store', '$key', '$audio')");
    $node->wait_until_drained;
    return $key;
}

# The worker may be killed before this session hears of its commit. The same call again does no harm.
sub promote {
    my ($store, $key, $id) = @_;
    for (1 .. 100) {
        return 1 if defined ask(qq{INSERT INTO paragraphs VALUES ($id, audiostore.promote_object('$store', '$key', 'library', 'novel/{n}.wav',
            '{"n": $id}', '{"n": $id}')) ON CONFLICT DO NOTHING});
        sleep 0.1;
    }
    die 'cannot promote';
}

sub state_of { my ($key) = @_; return sql("SELECT state FROM audiostore.temporary_objects WHERE key = '$key'"); }
sub stored { return [sort keys %{$s3->objects}]; }

# ---- killed at each step --------------------------------------------------------------------------------------------

my $id = 0;
foreach my $from (qw(scratch disk)) {
    my ($step, $kills) = (1, 0);
    while ($step < 20) {
        my $struck = 0;
        foreach my $when (qw(before after)) {
            my $key = made_in($from);
            my $pid = wait_for_worker();
            forget(qw(steps killed));
            order('watch', $from);
            order('kill', "$step $when $pid");
            promote($from, $key, ++$id);
            my $done = wait_for("$nothing_pending AND (SELECT state = 'promoted' FROM audiostore.temporary_objects WHERE key = '$key')",
                "killed $when step $step");
            forget(qw(kill watch));
            $struck++ if noted('killed');
            my $objects = $s3->objects;
            my $left = join ' ', sort keys %$objects;
            ok($done && $left eq "library/novel/$id.wav library/novel/${id}_metadata.json" && !grep({ /wav$/ } $node->files('disk'))
                  && $objects->{"library/novel/$id.wav"} eq $audio && $objects->{"library/novel/${id}_metadata.json"} eq qq({\n    "n": $id\n}\n),
                "from $from, killed $when step $step: one copy and its sidecar") or diag($left);
            sql('DELETE FROM paragraphs');
            $node->wait_until_drained;
            is_deeply(stored(), [], 'which go with the row');
        }
        last unless $struck;
        $kills += $struck;
        $step++;
    }
    cmp_ok($kills, '>=', $from eq 'disk' ? 6 : 10, "from $from: killed $kills times");
}
is_deeply([noted('violations')], [], 'at no moment was the object gone, or a sidecar alone');
is(sql('SELECT count(*) FROM audiostore.dead_operations'), '0', 'and no operation was given up');

# ---- stores that die and lie ----------------------------------------------------------------------------------------

foreach my $mood (qw(dead forget short garbled)) {
    foreach my $from (qw(scratch disk)) {
        # Of a copy that the store makes by itself no entity tag is known.
        next if $mood eq 'garbled' && $from eq 'scratch';
        my $key = made_in($from);
        order('mood', $mood);
        promote($from, $key, ++$id);
        # A store that is paused keeps its operations waiting; one that lies is asked again and again.
        ok(wait_for($mood eq 'dead' ? q{EXISTS (SELECT FROM audiostore.alerts WHERE name = 'store_paused' AND cleared_at IS NULL)
                    OR EXISTS (SELECT FROM audiostore.operations WHERE kind = 'move' AND last_error IS NOT NULL)}
                : q{SELECT count(*) = 1 FROM audiostore.operations WHERE kind = 'move' AND attempts >= 2 AND last_error LIKE '%is not what its source is%'},
                "$mood from $from"), "$mood: the worker notices, from $from");
        is(state_of($key), 'promoting', 'it is not promoted');
        my $there = $from eq 'disk' ? -s "$disk/$key" == length $audio : $s3->objects->{"scratch/$key"} eq $audio;
        ok($there, 'the temporary object stays');
        ok(!(grep { /json/ } @{stored()}), 'and there is no sidecar');
        is(sql("SELECT md5(audiostore.get_object('library', audio)) = md5('$audio') FROM paragraphs"), 't', 'the audio can be read under its new key')
          unless $mood eq 'dead';
        order('mood', '');
        ok(wait_for("$nothing_pending AND (SELECT state = 'promoted' FROM audiostore.temporary_objects WHERE key = '$key')", 'well again'),
            'later it is done');
        is($s3->objects->{"library/novel/$id.wav"}, $audio, 'as it should be');
        sql('DELETE FROM paragraphs');
        $node->wait_until_drained;
        is_deeply([@{stored()}, grep { /wav$/ } $node->files('disk')], [], 'nothing is left over');
    }
}

# ---- given up, and taken up again -----------------------------------------------------------------------------------

my $key = made_in('disk');
order('mood', 'refuse');
sql("UPDATE audiostore.temporary_objects SET expires_at = clock_timestamp() + interval '1 second' WHERE key = '$key'");
promote('disk', $key, ++$id);
ok(wait_for("SELECT state = 'failed' AND last_error IS NOT NULL FROM audiostore.temporary_objects WHERE key = '$key'", 'not failed'),
    'a promotion that cannot be done fails');
is(sql(q{SELECT count(*) FROM audiostore.alerts WHERE name = 'dead_operation' AND cleared_at IS NULL}), '1', 'with an alert');
ok(wait_for("SELECT expires_at < clock_timestamp() FROM audiostore.temporary_objects WHERE key = '$key'", 'time'), 'the lease would be over');
sql(q{CALL audiostore.run('expiry')});
is_deeply([stored(), -s "$disk/$key"], [[], length $audio], 'the object stays, and no sidecar is written');
is(sql($nothing_pending =~ s/^/SELECT /r), 't', 'nor waits for it');
order('mood', '');
sql('SELECT audiostore.retry_operation(id) FROM audiostore.dead_operations');
ok(wait_for("$nothing_pending AND (SELECT state = 'promoted' FROM audiostore.temporary_objects WHERE key = '$key')", 'revived'), 'revived, it is done');
is_deeply(stored(), ["library/novel/$id.wav", "library/novel/${id}_metadata.json"], 'with its sidecar');
sql('DELETE FROM paragraphs');
$node->wait_until_drained;

# ---- a row that somebody has locked ---------------------------------------------------------------------------------

foreach my $end ('promoted', 'failed') {
    $key = made_in('disk');
    order('mood', 'dead');
    promote('disk', $key, ++$id);
    ok(wait_for(q{EXISTS (SELECT FROM audiostore.operations WHERE kind = 'move' AND state = 'pending' AND last_error IS NOT NULL)}, 'dead'),
        'a move is repeated');
    my $error = sql(q{SELECT last_error FROM audiostore.operations WHERE kind = 'move'});
    sql(qq{BEGIN; SELECT FROM audiostore.temporary_objects WHERE key = '$key' FOR UPDATE; PREPARE TRANSACTION 'lock'});
    order('mood', $end eq 'promoted' ? '' : 'refuse');
    ok(wait_for(qq{SELECT in_doubt AND state = 'pending' AND last_error IS DISTINCT FROM \$\$$error\$\$ FROM audiostore.operations
            WHERE kind = 'move'}, 'put off'), "while its row is locked it is put off, where it would have been $end");
    sql(q{SELECT audiostore.put_object('disk', 'other', 'x')});
    ok(wait_for(q{NOT EXISTS (SELECT FROM audiostore.operations WHERE key = 'other')}, 'others'), 'and nobody waits for it');
    is(state_of($key), 'promoting', 'it is not settled');
    ok(-s "$disk/$key", 'and the object is still there');
    sql(q{ROLLBACK PREPARED 'lock'});
    ok(wait_for("(SELECT state = '$end' FROM audiostore.temporary_objects WHERE key = '$key') AND $nothing_pending", $end), "then it is $end");
    order('mood', '');
    sql('DELETE FROM paragraphs');
    sql("SELECT audiostore.release_temporary_object('disk', '$key')");
    $node->wait_until_drained;
    is_deeply([@{stored()}, grep { /wav$/ } $node->files('disk')], [], 'and nothing is left over');
}
is(sql('SELECT count(*) FROM audiostore.dead_operations'), '0', 'no dead operation is left');

# ---- leases end ---------------------------------------------------------------------------------------------------

$node->wait_until_drained;
sql(q{SELECT count(audiostore.put_object('disk', t.key, 'x')) FROM generate_series(1, 2500) i,
      LATERAL audiostore.create_temporary_object('disk', '.wav', make_interval(secs => 3 + 0 * i)) t});
is(sql(q{SELECT count(*) FROM audiostore.temporary_objects WHERE state = 'leased' AND store = 'disk'}), '2500', 'many leases');
sql(q{SELECT audiostore.put_object('disk', key, 'x') FROM audiostore.create_temporary_object('disk', '.wav', '1 hour', 'stays')});
my $killed = 0;
for (1 .. 1200) {
    my $rows = ask(q{SELECT count(*) FROM audiostore.temporary_objects WHERE state = 'leased' AND store = 'disk'});
    last if defined $rows && $rows eq '1';
    if ($killed < 3 && (my $pid = ask(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker'}))) {
        $killed++ if kill 'KILL', $pid;
    }
    sleep 0.3;
}
ok(wait_for("$nothing_pending AND (SELECT count(*) = 1 FROM audiostore.temporary_objects WHERE state = 'leased' AND store = 'disk')", 'expiry'),
    "leases end by themselves, though the worker was killed $killed times");
my $stays = sql(q{SELECT key FROM audiostore.temporary_objects WHERE purpose = 'stays'});
is_deeply([grep { /\.wav$/ } $node->files('disk')], [$stays], 'what is on a lease stays, the others are gone');

$node->stop;
done_testing();
