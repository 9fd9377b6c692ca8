# The worker masters segments while it, its decoders, and the whole server are killed at random, and while assets are
# deleted: in the end each asset that is left is final, its object is there and whole, its segments are ready, and the
# store holds nothing else.
use strict;
use warnings;

use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::Node;

my $seed = $ENV{AUDIOSTORE_TEST_SEED} // int(rand(1 << 30));
note "seed $seed (AUDIOSTORE_TEST_SEED)";
srand $seed;
my $segments = 60;
my $wanted_kills = 4;    # of each kind

my $node = Audiostore::Node->new('mastering', settings => {
    'audiostore.default_store' => 'radio', restart_after_crash => 'on'});
my $root = $node->local_store('radio');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# A single query, or undef while the server does not take connections.
sub ask {
    my ($query) = @_;
    my ($out, $err) = ('', '');
    my $ok = eval { IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ], '<', \$query, '>', \$out, '2>', \$err) };
    # A psql that is refused may be gone before it was told what to do.
    die $@ if $@ && $@ !~ /Broken pipe/;
    chomp $out;
    return $ok && $out ne '' ? $out : undef;
}

sub wait_for_server {
    for (1 .. 600) {
        return if defined ask('SELECT 1');
        sleep 0.1;
    }
    die 'the server does not come back';
}

# 16 bit mono at 16 kHz, a tone that comes and goes, different for each number.
sub wav {
    my ($number, $seconds, $gain) = @_;
    my $frames = int(16000 * $seconds);
    my $samples = pack 's<*', map {
        int($gain * 32767 * sin($_ * (200 + 7 * $number) * 2 * 3.14159265 / 16000) * (0.6 + 0.4 * sin($_ / 3000)))
    } 0 .. $frames - 1;
    return 'RIFF' . pack('V', 36 + length $samples) . 'WAVEfmt ' . pack('VvvVVvv', 16, 1, 1, 16000, 32000, 2, 16)
      . 'data' . pack('V', length $samples) . $samples;
}

# Returns the segment's id and the audio in hexadecimal.
sub store_segment {
    my ($title, $audio) = @_;
    return (sql("INSERT INTO audiostore.segments (title) VALUES ('$title') RETURNING id"), unpack 'H*', $audio);
}

# Final objects that were never written, or that no row came to hold, have a delete that is due in a day.
sub drained {
    sql("UPDATE audiostore.operations SET not_before = clock_timestamp() WHERE kind = 'delete' AND state = 'pending'");
    return $node->wait_until_drained(120);
}

# ---- one segment, nothing in its way ------------------------------------------------------------------------------

my ($first, $hex) = store_segment('first', wav(0, 3, 0.05));
sql("SELECT audiostore.store_segment_audio('$first', decode('$hex', 'hex'))");
$node->poll_query_until('postgres', "SELECT state = 'ready' FROM audiostore.segments WHERE id = '$first'")
  or die 'the worker does not master';
is(sql('SELECT round(lufs::numeric, 1), validation_passed, (mastering ->> \'outcome\') FROM audiostore.assets'), '-16.0|t|gain',
    'mastered to -16 LUFS');
ok($node->wait_until_drained, 'then');
is_deeply([$node->files('radio')], [ 'final/' . sql('SELECT id FROM audiostore.assets') . '.wav' ],
    'the store has the final object, and the raw one is gone');
is(sql('SELECT count(*) FROM audiostore.assets WHERE size <> (audiostore.head_object(store, storage_path)).size'), '0',
    'of the size that its row says');

# ---- what cannot be mastered --------------------------------------------------------------------------------------

my ($bad, $nothing) = store_segment('bad', '');
sql("SELECT audiostore.store_segment_audio('$bad', 'this is not audio')");
$node->poll_query_until('postgres', "SELECT state = 'failed' FROM audiostore.segments WHERE id = '$bad'")
  or die 'a file that is not audio does not fail';
is(sql("SELECT attempts, state FROM audiostore.jobs ORDER BY id DESC LIMIT 1"), '1|dead', 'what is not audio is not tried again');
like(sql("SELECT error FROM audiostore.segments WHERE id = '$bad'"), qr/audio/, 'the segment says why');

my ($silent, $silence) = store_segment('silent', wav(1, 2, 0));
sql("SELECT audiostore.store_segment_audio('$silent', decode('$silence', 'hex'))");
$node->poll_query_until('postgres', "SELECT state = 'failed' FROM audiostore.segments WHERE id = '$silent'")
  or die 'silence passed';
like(sql("SELECT error FROM audiostore.segments WHERE id = '$silent'"), qr/silence/, 'silence breaks the rules');
is(sql('SELECT count(*) FROM audiostore.playout_next(100)'), '1', 'and is not played');

# A job of somebody else's making.
sql(q{SELECT audiostore.enqueue_job('audio_finalize', '{"asset_id": 5}'), audiostore.enqueue_job('audio_finalize', '[]')});
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM audiostore.pending_jobs") or die 'odd jobs stay';
is(sql("SELECT string_agg(state, ',') FROM (SELECT state FROM audiostore.jobs ORDER BY id DESC LIMIT 2) j"), 'done,done',
    'jobs that name no asset are over');
sql('DELETE FROM audiostore.segments; DELETE FROM audiostore.assets; DELETE FROM audiostore.jobs');
ok(drained(), 'all of it can be deleted');
is_deeply([$node->files('radio')], [], 'and nothing stays');

# ---- without the worker -------------------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', 'audiostore.enabled = off');
$node->reload;
$node->poll_query_until('postgres', "SELECT audiostore.worker_state() = 'disabled' AND NOT EXISTS
    (SELECT FROM pg_stat_activity WHERE backend_type = 'audiostore worker')") or die 'the worker does not leave';
my ($called, $called_hex) = store_segment('called', wav(2, 2, 0.2));
sql("SELECT audiostore.store_segment_audio('$called', decode('$called_hex', 'hex'))");
sql("CALL audiostore.run('mastering')");
is(sql("SELECT state FROM audiostore.segments WHERE id = '$called'"), 'normalizing', 'mastering alone waits for the raw object');
sql("UPDATE audiostore.jobs SET not_before = now()");
sql('CALL audiostore.run()');
is(sql("SELECT state FROM audiostore.segments WHERE id = '$called'"), 'ready', 'CALL audiostore.run() masters');
sql('CALL audiostore.run()');
is_deeply([$node->files('radio')], [ 'final/' . sql('SELECT id FROM audiostore.assets') . '.wav' ], 'and lets go of the raw object');
$node->append_conf('postgresql.conf', 'audiostore.enabled = on');
$node->reload;

# ---- kills --------------------------------------------------------------------------------------------------------

sub worker { return ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker'"); }

sub children_of {
    my ($parent) = @_;
    my @children;
    foreach my $stat (glob '/proc/[0-9]*/stat') {
        open my $file, '<', $stat or next;
        my $line = <$file> // next;
        push @children, $1 if $line =~ /^(\d+) \(.*\) \S (\d+)/ && $2 == $parent;
    }
    return @children;
}

my %kill = (
    decoder => sub { my $pid = worker() or return 0; my ($decoder) = children_of($pid); return $decoder ? kill('KILL', $decoder) : 0; },
    worker => sub { my $pid = worker() or return 0; return kill 'KILL', $pid; },
    # Orderly: claims are given back.
    stop => sub { my $pid = worker() or return 0; return kill 'TERM', $pid; });
my %kills = map { $_ => 0 } keys %kill;
my @decoders;
my $deadline = time + 300;
my $stored = 0;
while (time < $deadline) {
    my @due = grep { $kills{$_} < $wanted_kills } sort keys %kills;
    last if $stored >= $segments && !@due;
    my $number = 10 + $stored;
    my $audio = unpack 'H*', wav($number, 2 + rand 8, 0.02 + rand 0.9);
    my $id = ask("INSERT INTO audiostore.segments (title) VALUES ('$number') RETURNING id");
    if ($id && ask("SELECT audiostore.store_segment_audio('$id', decode('$audio', 'hex'))")) { $stored++; }
    ask('DELETE FROM audiostore.assets WHERE id = (SELECT id FROM audiostore.assets ORDER BY random() LIMIT 1) RETURNING 1')
      if rand() < 0.1;
    if (@due && $stored > 5) {
        my $kind = $due[ int rand @due ];
        my $worker = worker();
        push @decoders, children_of($worker) if $worker;
        $kills{$kind}++ if $kill{$kind}->();
        wait_for_server();
    }
}
note "stored $stored; killed: " . join ', ', map { "$_ $kills{$_}" } sort keys %kills;
cmp_ok($kills{$_}, '>=', $wanted_kills, "killed: $_") for sort keys %kills;

# Failed attempts wait for their time; here they need not.
for (1 .. 600) {
    last if (ask("SELECT count(*) FROM audiostore.pending_jobs") // 1) eq '0';
    ask("UPDATE audiostore.jobs SET not_before = now() WHERE state = 'pending' AND not_before > now() RETURNING 1");
    sleep 0.2;
}
is(sql("SELECT count(*), count(*) FILTER (WHERE state = 'dead') FROM audiostore.jobs WHERE state <> 'done'"), '0|0',
    'every job is done, none was given up');
ok(drained(), 'the queue is empty');
is(sql("SELECT count(*) FROM audiostore.assets WHERE state <> 'final'"), '0', 'every asset is final');
is(sql("SELECT count(*) FROM audiostore.segments WHERE asset_id IS NOT NULL AND state <> 'ready'"), '0', 'its segments are ready');
cmp_ok(sql('SELECT count(*) FROM audiostore.assets'), '>', $segments / 2, 'there are some');
is_deeply([$node->files('radio')], [ split /\n/, sql('SELECT storage_path FROM audiostore.assets ORDER BY storage_path COLLATE "C"') ],
    'the store has their objects and no others');
is(sql("SELECT count(*) FROM audiostore.assets WHERE size <> (audiostore.head_object(store, storage_path)).size
        OR abs((audiostore.measure_loudness(audiostore.get_object(store, storage_path))).integrated_lufs + 16) > 0.1"), '0',
    'whole, and as loud as they ought to be');
push @decoders, children_of(worker());
$node->stop;
is_deeply([grep { (readlink("/proc/$_/exe") // '') =~ m{/audiostore-decoder$} } @decoders], [], 'no decoder outlived its worker');
done_testing();
