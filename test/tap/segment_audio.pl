# A segment's audio on its way from the application to final/: at every step the process that does it is killed, and in
# the end each object has its row, each row its object, and each segment its audio.
use strict;
use warnings;

use File::Basename qw(dirname);
use File::Path qw(make_path);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::Node;

my $node = Audiostore::Node->new('segment_audio', settings => {
    'audiostore.enabled' => 'off', 'audiostore.default_store' => 'radio', restart_after_crash => 'on'});
my $root = $node->local_store('radio');
my $figures = q{(SELECT jsonb_object_agg(metric, greatest(minimum, 0)) FROM audiostore.validation_rules WHERE required)
    || '{"duration_seconds": 1, "silence_seconds": 0}'};

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# Runs the statements in a transaction whose process is killed by force before it commits.
sub killed_before_commit {
    my ($statements) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c',
          "BEGIN; $statements; SELECT 'stays open', pg_sleep(600); COMMIT"
          or POSIX::_exit(1);
    }
    my $at_the_end = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%stays open%' AND pid <> pg_backend_pid()";
    $node->poll_query_until('postgres', "SELECT count(*) = 1 $at_the_end") or die 'the transaction did not come to its end';
    kill 'KILL', sql("SELECT pid $at_the_end");
    waitpid $pid, 0;
    $node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
    return;
}

# What the worker writes to the store by itself.
sub write_object {
    my ($key) = @_;
    make_path(dirname("$root/$key"));
    open my $file, '>', "$root/$key" or die "$key: $!";
    print $file 'mastered';
    close $file;
    return;
}

sub claim {
    sql("UPDATE audiostore.jobs SET leased_until = clock_timestamp() WHERE state = 'running'");
    return split /\|/, sql("SELECT id, claim FROM audiostore.claim_jobs('{audio_finalize}', 'w')");
}

# Deletes that were put off, done now.
sub settle_store {
    sql("UPDATE audiostore.operations SET not_before = clock_timestamp() WHERE kind = 'delete'");
    return $node->run_until_drained;
}

sub consistent {
    my ($step) = @_;
    settle_store();
    is_deeply([$node->files('radio')], [split /\n/, sql("SELECT storage_path FROM audiostore.assets ORDER BY storage_path COLLATE \"C\"")],
        "$step: objects and rows agree");
    return;
}

# ---- storing -----------------------------------------------------------------------------------------------------

sql("INSERT INTO audiostore.segments (title) VALUES ('one'), ('two'), ('three')");
my %id = map { split /\|/ } split /\n/, sql('SELECT title, id FROM audiostore.segments');
my $store = "SELECT audiostore.store_segment_audio('$id{one}', 'some audio')";
killed_before_commit($store);
is(sql("SELECT (SELECT count(*) FROM audiostore.assets), (SELECT count(*) FROM audiostore.jobs),
    (SELECT count(*) FROM audiostore.operations), (SELECT string_agg(DISTINCT state, ' ') FROM audiostore.segments)"),
    '0|0|0|queued', 'killed before the commit: nothing was stored');
consistent('killed before the commit');
sql($store);
$node->stop('immediate');
$node->start;
is(sql("SELECT a.state, s.state, j.state FROM audiostore.segments s JOIN audiostore.assets a ON a.id = s.asset_id
    JOIN audiostore.jobs j ON j.payload ->> 'asset_id' = a.id::text"),
    'raw|normalizing|pending', 'killed after the commit: all of it was stored');
consistent('killed after the commit');

# ---- mastering ---------------------------------------------------------------------------------------------------

my ($job, $claim) = claim();
killed_before_commit("SELECT audiostore.begin_audio_finalize($job, 'w', $claim)");
consistent('killed while it began');
($job, $claim) = claim();
my $final = (split /\|/, sql("SELECT * FROM audiostore.begin_audio_finalize($job, 'w', $claim)"))[4];
write_object($final);
# The worker is gone; its object is nobody's, and was to be deleted unless the next attempt claims it.
is(sql("SELECT count(*) FROM audiostore.operations WHERE kind = 'delete' AND key = '$final' AND not_before > now()"), '1',
    'an object that no row holds yet is due to be deleted');
consistent('killed after the object was written');
($job, $claim) = claim();
sql("SELECT audiostore.begin_audio_finalize($job, 'w', $claim)");
write_object($final);
my $finish = "SELECT audiostore.finish_audio_finalize($job, 'w', $figures, 8, encode(sha256('some audio'), 'hex'), $claim)";
killed_before_commit($finish);
is(sql("SELECT a.state, s.state, j.state FROM audiostore.segments s JOIN audiostore.assets a ON a.id = s.asset_id
    JOIN audiostore.jobs j ON j.payload ->> 'asset_id' = a.id::text"),
    'mastering|normalizing|running', 'killed before mastering was recorded: still under way');
($job, $claim) = claim();
sql("SELECT audiostore.begin_audio_finalize($job, 'w', $claim)");
write_object($final);
is(sql("SELECT audiostore.finish_audio_finalize($job, 'w', $figures, 8, encode(sha256('some audio'), 'hex'), $claim)"),
    'final', 'the next attempt ends well');
$node->stop('immediate');
$node->start;
is(sql("SELECT a.state, s.state, j.state, j.attempts FROM audiostore.segments s JOIN audiostore.assets a ON a.id = s.asset_id
    JOIN audiostore.jobs j ON j.payload ->> 'asset_id' = a.id::text"), 'final|ready|done|4', 'and is kept');
consistent('mastered');
is_deeply([$node->files('radio')], [$final], 'the raw object is gone');

# ---- given up, and deleted meanwhile -----------------------------------------------------------------------------

sql("SELECT audiostore.store_segment_audio('$id{two}', 'other audio')");
($job, $claim) = claim();
$final = (split /\|/, sql("SELECT * FROM audiostore.begin_audio_finalize($job, 'w', $claim)"))[4];
write_object($final);
sql("UPDATE audiostore.jobs SET max_attempts = attempts WHERE id = $job");
claim();
is(sql("SELECT s.state, a.state FROM audiostore.segments s JOIN audiostore.assets a ON a.id = s.asset_id WHERE s.id = '$id{two}'"),
    'failed|failed', 'after the last attempt, nobody waits');
consistent('given up');

sql("SELECT audiostore.store_segment_audio('$id{three}', 'third audio')");
($job, $claim) = claim();
$final = (split /\|/, sql("SELECT * FROM audiostore.begin_audio_finalize($job, 'w', $claim)"))[4];
write_object($final);
sql("DELETE FROM audiostore.assets WHERE content_hash = encode(sha256('third audio'), 'hex')");
is(sql("SELECT audiostore.finish_audio_finalize($job, 'w', $figures, 8, encode(sha256('third audio'), 'hex'), $claim)"), 'gone',
    'an asset may be deleted while it is mastered');
consistent('deleted meanwhile');
is(sql("SELECT state, error FROM audiostore.segments WHERE id = '$id{three}'"), 'failed|its audio was deleted', 'its segment has failed');

$node->stop;
done_testing();
