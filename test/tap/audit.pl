# Audits while everything moves: rows, uploads, deletes and moves go on, and nothing is reported that is not so, while what
# was planted is found, each time. And: kill -9 between batches, stores that die in mid-listing, hang and lie.
#
# AUDIT_RUNS=200 for a long look.
use strict;
use warnings;

use File::Path qw(make_path);
use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep time);

use Audiostore::HttpServer;
use Audiostore::Node;

my $runs = $ENV{AUDIT_RUNS} // 40;
my $seed = $ENV{AUDIT_SEED} // int(time) % 100_000;
srand $seed;
note("AUDIT_SEED=$seed");
my $node = Audiostore::Node->new('audit',
    settings => { restart_after_crash => 'on', log_min_messages => 'warning', fsync => 'off', autovacuum_naptime => '1s' });
my $root = $node->local_store('media');

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

sub file {
    my ($key, $hours) = @_;
    my $path = "$root/$key";
    make_path($path =~ s{/[^/]*$}{}r);
    open my $out, '>', $path or die "$path: $!";
    print $out 'sound';
    close $out;
    my $then = time - 3600 * ($hours // 0);
    utime $then, $then, $path or die "$path: $!";
    return;
}

# ---- nothing false, nothing missed ----------------------------------------------------------------------------------

# Two tables, one of them without an index in byte order; rows go from one to the other, too.
sql(q{
    CREATE TABLE songs (id bigserial PRIMARY KEY, path text COLLATE "C", bytes bigint, note text);
    CREATE INDEX ON songs (path);
    CREATE TABLE drafts (id bigserial PRIMARY KEY, path text COLLATE "en-x-icu" UNIQUE, bytes bigint);
    SELECT audiostore.track('songs', 'path', store => 'media', size_column => 'bytes');
    SELECT audiostore.track('drafts', 'path', store => 'media', size_column => 'bytes');
    CREATE SEQUENCE acts;
    CREATE FUNCTION sound(n int) RETURNS bytea LANGUAGE sql VOLATILE AS $$ SELECT convert_to(repeat('s', n), 'UTF8') $$;
    -- One of the things that applications do, in a transaction each.
    CREATE FUNCTION act(who int) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        size int := 1 + random() * 200;
        name text := format('live/%s/%s', who, (random() * 60)::int);
        other text := format('live/%s/%s', who, (random() * 60)::int);
        had record;
    BEGIN
        CASE (random() * 8)::int
        WHEN 0, 1, 2 THEN  -- upload, or upload again
            PERFORM FROM drafts WHERE path = name;
            IF NOT FOUND THEN
                PERFORM audiostore.put_object('media', name, sound(size));
                DELETE FROM songs WHERE path = name;
                INSERT INTO songs (path, bytes) VALUES (name, size);
            END IF;
        WHEN 3, 4 THEN DELETE FROM songs WHERE path = name;
        WHEN 5 THEN  -- move
            SELECT * INTO had FROM songs WHERE path = name LIMIT 1;
            IF FOUND AND name <> other AND NOT EXISTS (SELECT FROM songs WHERE path = other) AND NOT EXISTS (SELECT FROM drafts WHERE path = other) THEN
                PERFORM audiostore.move_object('media', name, 'media', other);
                UPDATE songs SET path = other WHERE path = name;
            END IF;
        WHEN 6 THEN  -- to the other table
            WITH gone AS (DELETE FROM songs WHERE path = name RETURNING path, bytes)
            INSERT INTO drafts (path, bytes) SELECT DISTINCT ON (path) path, bytes FROM gone;
        WHEN 7 THEN  -- and back
            WITH gone AS (DELETE FROM drafts WHERE path = name RETURNING path, bytes)
            INSERT INTO songs (path, bytes) SELECT path, bytes FROM gone;
        ELSE UPDATE songs SET note = clock_timestamp()::text WHERE path LIKE format('live/%s/%%', who);
        END CASE;
    END $$;
    CREATE PROCEDURE churn(who int, seconds float) LANGUAGE plpgsql AS $$
    DECLARE until timestamptz := clock_timestamp() + make_interval(secs => seconds);
    BEGIN
        WHILE clock_timestamp() < until LOOP
            BEGIN
                PERFORM act(who), nextval('acts');
            EXCEPTION WHEN object_in_use THEN NULL;  -- its delete is on the wire
            END;
            COMMIT;
            -- A queue that only grows would show nothing but itself.
            WHILE (SELECT count(*) FROM audiostore.operations) > 100 LOOP
                COMMIT;
                PERFORM pg_sleep(0.005);
            END LOOP;
        END LOOP;
    END $$;
});

# Planted: objects that nobody holds, and rows without objects; new ones each time.
my %false;
my ($missed, $found, $acts) = (0, 0, 0);
my @churns;
my $churn_until = 0;
for my $run (1 .. $runs) {
    if (time > $churn_until - 1) {
        $_->finish for @churns;
        @churns = map { IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL churn($_, 20)" ], '<', \'', '>', \my $out, '2>', \my $err) } 1 .. 3;
        $churn_until = time + 20;
    }
    my @orphans = map { sprintf 'live/%d/orphan-%d-%d', 1 + int rand 3, $run, $_ } 1 .. 1 + int rand 3;
    my @dangling = map { sprintf 'live/%d/dangling-%d-%d', 1 + int rand 3, $run, $_ } 1 .. 1 + int rand 3;
    file($_, 1) for @orphans;
    sql("INSERT INTO " . (rand() < 0.5 ? 'songs' : 'drafts') . " (path, bytes) VALUES " . join ', ', map { "('$_', 5)" } @dangling);
    my $how = int rand 3;
    my $findings;
    if ($how == 0) {
        $findings = sql(q{SELECT finding, key FROM audiostore.audit_store('media', min_age => '0')});
    } else {
        my $audit = sql(q{SELECT audiostore.start_audit('media', 'live', min_age => '0')});
        sql(q{CALL audiostore.run('audits')}) if $how == 1;
        wait_for("SELECT state = 'done' AND complete FROM audiostore.audits WHERE id = $audit", 'the audit does not end');
        $findings = sql("SELECT finding, key FROM audiostore.audit_findings WHERE audit_id = $audit");
    }
    my %seen = map { $_ => 1 } grep { !/^unfinished_upload/ } split /\n/, $findings;
    for my $planted ((map { "orphaned_object|$_" } @orphans), map { "dangling_row|$_" } @dangling) {
        delete $seen{$planted} ? $found++ : $missed++;
    }
    $false{"run $run ($how): $_"} = 1 for keys %seen;
    unlink "$root/$_" for @orphans;
    sql("DELETE FROM songs WHERE path LIKE '%dangling-$run-%'; DELETE FROM drafts WHERE path LIKE '%dangling-$run-%'");
}
$_->kill_kill for @churns;
is_deeply([ sort keys %false ], [], "no false finding in $runs runs");
is($missed, 0, "what was planted is found, all of it ($found)");
cmp_ok(sql('SELECT last_value FROM acts'), '>', 10 * $runs, 'while things moved');
ok($node->wait_until_drained(120), 'and they come to rest');
sql('DELETE FROM songs; DELETE FROM drafts');
ok($node->wait_until_drained(120), 'and go');

# ---- kill -9 between batches ----------------------------------------------------------------------------------------

my $files = 12_000;
file(sprintf('many/%05d', $_), 50) for 0 .. $files - 1;
sql(q{INSERT INTO songs (path, bytes) SELECT 'many/' || lpad(n::text, 5, '0'), 5 FROM generate_series(0, 11999) n WHERE n % 100 <> 7});
sql(q{INSERT INTO songs (path, bytes) SELECT 'many/' || lpad(n::text, 5, '0') || '-gone', 5 FROM generate_series(0, 11900, 100) n});
my $audit = sql(q{SELECT audiostore.start_audit('media', 'many')});
my %killed;
for (1 .. 3000) {
    my $line = ask("SELECT claimed_by, objects, state FROM audiostore.audits WHERE id = $audit") // next;
    my ($pid, $objects, $state) = split /\|/, $line;
    last if $state eq 'done';
    $killed{$pid} = $objects if $pid && keys %killed < 3 && !$killed{$pid} && $objects > 1000 * keys %killed && kill 'KILL', $pid;
    sleep 0.005;
}
cmp_ok(scalar keys %killed, '>=', 1, 'the worker was killed in the middle');
is(sql("SELECT state, complete, objects, findings FROM audiostore.audits WHERE id = $audit"), "done|t|$files|240",
    'it goes on behind the last committed page');
is(sql("SELECT finding, count(*), count(DISTINCT key) FROM audiostore.audit_findings WHERE audit_id = $audit GROUP BY 1 ORDER BY 1"),
    "dangling_row|120|120\norphaned_object|120|120", 'and finds everything once');
cmp_ok(sql("SELECT count(*) FROM audiostore.runs WHERE task LIKE 'audits: audit $audit %' AND finished_at IS NULL"), '>=', 1,
    'a run that was killed has no end');
is(sql('SELECT count(*) FROM audiostore.audit_ranges'), '0', 'no range is left');

# ---- the purge ------------------------------------------------------------------------------------------------------

my ($status, $out, $err) = $node->psql('postgres', "SELECT * FROM audiostore.purge_orphans($audit, dry_run => false, max_fraction => 0.005)");
like($err, qr/refused to purge/, 'too many');
sql("INSERT INTO songs (path, bytes) VALUES ('many/00007', 5)");
is(sql("SELECT outcome, count(*) FROM audiostore.purge_orphans($audit, dry_run => false) GROUP BY 1 ORDER BY 1"),
    "delete queued|119\nheld by a row|1", 'a hundredth may go');
ok($node->wait_until_drained(120), 'and goes');
is(scalar(grep { /^many/ } $node->files('media')), $files - 119, 'exactly those');
is(sql("SELECT outcome, count(*) FROM audiostore.repair_dangling($audit, 'delete_row') GROUP BY 1"), 'row deleted|120', 'rows are repaired');
$audit = sql(q{SELECT audiostore.start_audit('media', 'many')});
wait_for("SELECT state = 'done' FROM audiostore.audits WHERE id = $audit", 'the audit does not end');
is(sql("SELECT findings FROM audiostore.audits WHERE id = $audit"), '0', 'then all is well');
is(sql("SELECT count(*) FROM audiostore.alerts WHERE name LIKE 'audit%' AND subject = 'media/many/' AND cleared_at IS NULL"), '0', 'and no alert is left');

# ---- stores that die in mid-listing, hang and lie -------------------------------------------------------------------

sub answer {
    my ($more, @keys) = @_;
    my $contents = join '', map {
        "<Contents><Key>$_</Key><LastModified>2020-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
    } @keys;
    return [ 200, { 'Content-Type' => 'application/xml' },
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
          . '<Name>bucket</Name><IsTruncated>' . ($more ? 'true' : 'false') . "</IsTruncated>$contents</ListBucketResult>" ];
}

my $mood = File::Temp->new;
sub mood { my ($word) = @_; open my $to, '>', "$mood" or die $!; print $to $word; close $to; return; }
my $server = Audiostore::HttpServer->start(sub {
    my ($request) = @_;
    open my $in, '<', "$mood" or die $!;
    my $word = <$in> // '';
    my ($method, $target) = @{$request}{qw(method target)};
    my $second = $target =~ /start-after=([^&]*)/;
    return 'hang' if $word eq 'hang';
    return [ 403, {}, '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' ] if $word eq 'refuse';
    if ($method eq 'HEAD') {
        return [ 200, {}, '' ] if $target =~ m{^/bucket/?$};
        # Listed, and gone when it is asked for.
        return [ 404, {}, '' ] if $target =~ /ghost|absent/;
        my $etag = $target =~ /changed/ ? 'other' : 'e';
        return [ 200, { ETag => qq{"$etag"}, 'Last-Modified' => 'Thu, 02 Jan 2020 03:04:05 GMT', 'Content-Length' => 7 }, '' ];
    }
    if ($target =~ /uploads=/) {
        return [ 403, {}, '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' ] if $word eq 'no-uploads';
        my ($prefix) = $target =~ /prefix=([^&]*)/;
        $prefix = ($prefix // '') =~ s/%([0-9A-F]{2})/chr hex $1/egr;
        my $uploads = join '', map {
            "<Upload><Key>$_->[0]</Key><UploadId>$_->[1]</UploadId><Initiated>$_->[2]</Initiated></Upload>"
        } grep { $_->[0] =~ /^\Q$prefix\E/ } [ 'tmp/half', 'one', '2020-01-02T03:04:05.000Z' ], [ 'tmp/half', 'two', '2020-01-03T03:04:05.000Z' ], [ 'tmp/new', 'three', '2999-01-02T03:04:05.000Z' ];
        return [ 200, { 'Content-Type' => 'application/xml' },
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>$uploads</ListMultipartUploadsResult>" ];
    }
    if ($method eq 'GET' && $target =~ /list-type/) {
        return $second ? [ 500, {}, '' ] : answer(1, 'tmp/a', 'tmp/b') if $word eq 'half';
        return { answer => answer(1, 'tmp/a', 'tmp/b'), break => 'reset' } if $word eq 'break';
        return answer(1, 'tmp/a') if $word eq 'circle';
        return $second ? answer(0, 'tmp/changed', 'tmp/ghost') : answer(1, 'tmp/a', 'tmp/b');
    }
    return [ 200, {}, '' ];
});
my $url = $server->url;
sql(qq{CREATE SERVER remote FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'bucket', region 'r', endpoint '$url', addressing 'path', max_retry_delay '1s');
    CREATE USER MAPPING FOR PUBLIC SERVER remote OPTIONS (access_key_id 'k', secret_access_key 'hush-hush');
    CREATE TABLE kept (path text, bytes bigint);
    SELECT audiostore.track('kept', 'path', store => 'remote', size_column => 'bytes');
    INSERT INTO kept VALUES ('tmp/b', 8), ('tmp/absent', 1), ('tmp/c', 7)});
sub findings { my ($id) = @_; return sql("SELECT finding, key FROM audiostore.audit_findings WHERE audit_id = $id ORDER BY 1, 2"); }
sub put_off {
    my ($id, $what) = @_;
    wait_for("SELECT failures > 0 AND state = 'queued' FROM audiostore.audits WHERE id = $id", $what);
    return;
}

mood('half');
$audit = sql(q{SELECT audiostore.start_audit('remote')});
put_off($audit, 'it goes on without a second page');
is(sql("SELECT complete, objects, error ~ 'could not list', not_before > now() FROM audiostore.audits WHERE id = $audit"), 'f|2|t|t',
    'a store that dies in mid-listing: what it had listed is kept, the rest waits');
($status, $out, $err) = $node->psql('postgres', "SELECT * FROM audiostore.purge_orphans($audit, false, 1)");
like($err, qr/not complete/, 'and is no ground for a purge');
mood('well');
sql("UPDATE audiostore.audits SET not_before = now() WHERE id = $audit; SELECT audiostore.wake()");
wait_for("SELECT state = 'done' FROM audiostore.audits WHERE id = $audit", 'it does not go on');
is(findings($audit), "dangling_row|tmp/absent\norphaned_object|tmp/a\nsize_mismatch|tmp/b\nunfinished_upload|tmp/half\nunfinished_upload|tmp/half",
    'it goes on where it was; what is not what was listed is no finding, and what is there though it was not listed is not missed');
is(sql("SELECT objects, error FROM audiostore.audits WHERE id = $audit"), '4|', 'and each object was counted once');

mood('break');
$audit = sql(q{SELECT audiostore.start_audit('remote')});
put_off($audit, 'a broken page is taken');
for (1 .. 200) {
    last if sql("SELECT state = 'failed' FROM audiostore.audits WHERE id = $audit") eq 't';
    sql("UPDATE audiostore.audits SET not_before = now() WHERE id = $audit AND state = 'queued'; SELECT audiostore.wake()");
    sleep 0.1;
}
is(sql("SELECT state, complete FROM audiostore.audits WHERE id = $audit"), 'failed|f', 'a store that stays broken: it has failed in the end');
is(sql("SELECT count(*) FROM audiostore.alerts WHERE name = 'audit_failed' AND subject = 'remote' AND cleared_at IS NULL"), '1', 'with an alert');
mood('circle');
($status, $out, $err) = $node->psql('postgres', q{SELECT * FROM audiostore.audit_store('remote')});
like($err, qr/circles|order/, 'a listing without end is noticed');
mood('refuse');
$audit = sql(q{SELECT audiostore.start_audit('remote')});
wait_for("SELECT state = 'failed' FROM audiostore.audits WHERE id = $audit", 'a refusal is repeated');
like(sql("SELECT error FROM audiostore.audits WHERE id = $audit"), qr/denied|no$/i, 'a refusal fails at once');
unlike(sql("SELECT string_agg(error, '') FROM audiostore.audits"), qr/hush/, 'without its secrets');
mood('no-uploads');
$audit = sql(q{SELECT audiostore.start_audit('remote')});
wait_for("SELECT state = 'done' FROM audiostore.audits WHERE id = $audit", 'it needs to see uploads');
is(sql("SELECT complete, error ~ 'uploads' FROM audiostore.audits WHERE id = $audit"), 't|t', 'who may not see unfinished uploads is told so');
is(sql("SELECT count(*) FROM audiostore.alerts WHERE name = 'audit_failed' AND subject = 'remote' AND cleared_at IS NULL"), '0', 'a good one clears the alert');

mood('hang');
$audit = sql(q{SELECT audiostore.start_audit('remote')});
wait_for("SELECT state = 'running' FROM audiostore.audits WHERE id = $audit", 'not claimed');
wait_for(q{SELECT xact_start IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE backend_type = 'audiostore worker'},
    'the worker waits inside a transaction');
pass('no transaction is open while it waits for the store');
is(sql("SELECT audiostore.cancel_audit($audit)"), 't', 'it can be cancelled');
$audit = sql(q{SELECT audiostore.start_audit('remote')});
wait_for("SELECT state = 'running' FROM audiostore.audits WHERE id = $audit", 'not claimed');
$node->append_conf('postgresql.conf', 'audiostore.enabled = off');
$node->reload;
wait_for("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'audiostore worker')", 'the worker does not leave');
is(sql("SELECT state, claimed_by IS NULL AND leased_until IS NULL FROM audiostore.audits WHERE id = $audit"), 'queued|t',
    'a worker that ends gives the audit back');
$node->stop;
done_testing();
