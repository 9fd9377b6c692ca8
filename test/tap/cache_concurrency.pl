# 32 clients put, get, invalidate and evict the same few keys while their processes are killed at random (SIGTERM, then
# SIGKILL, which is a crash of the server) and the worker evicts as well: no value is torn, none is served after its time,
# no key is there twice, and the counts add up.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Audiostore::Node;

my $clients = $ENV{CACHE_CLIENTS} // 32;
my $seconds = $ENV{CACHE_SECONDS} // 25;
my $node = Audiostore::Node->new(
    'main',
    settings => {
        'audiostore.cache_max_entries' => 300,
        'audiostore.cache_cleanup_interval' => 1,
        max_connections => 80,
        deadlock_timeout => "'100ms'",
        restart_after_crash => 'on',
        # Killed sessions are expected, and many.
        log_min_messages => 'fatal'
    });

# A value says which key it is for and when it was put to live how long, 300 times over.
$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA soak;
CREATE TABLE soak.faults (what text, seen text);
CREATE TABLE soak.counts (hits bigint, misses bigint, puts bigint);
CREATE FUNCTION soak.value(key text, at timestamptz, ttl interval) RETURNS bytea LANGUAGE sql IMMUTABLE AS
    $$ SELECT convert_to(repeat(format('%s|%s|%s;', key, extract(epoch FROM at), extract(epoch FROM ttl)), 300), 'UTF8') $$;
CREATE FUNCTION soak.fault(key text, value bytea, before timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    parts text[] := string_to_array(split_part(convert_from(value, 'UTF8'), ';', 1), '|');
BEGIN
    IF value <> convert_to(repeat(array_to_string(parts, '|') || ';', 300), 'UTF8') THEN RETURN 'torn'; END IF;
    IF parts[1] <> key THEN RETURN 'the value of ' || parts[1]; END IF;
    -- A put may have waited for others before its time began.
    IF to_timestamp(parts[2]::float8 + parts[3]::float8) < before - interval '8 s' THEN RETURN 'expired'; END IF;
    RETURN NULL;
END $$;
CREATE PROCEDURE soak.step(INOUT hits bigint, INOUT misses bigint, INOUT puts bigint) LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    k text := 'k' || (random() ^ 2 * 600)::int;
    ttl interval := (ARRAY['700 ms', '1 s', '3 s', '1 hour', '10 days']::interval[])[1 + floor(random() * 5)];
    before timestamptz := clock_timestamp();
    entry audiostore.audio_chunk_cache;
    value bytea;
BEGIN
    IF dice < 0.55 THEN
        value := audiostore.cache_get(k);
        IF value IS NULL THEN misses := misses + 1; ELSE hits := hits + 1; END IF;
    ELSIF dice < 0.65 THEN
        entry := audiostore.cache_entry(k);
        value := entry.audio_data;
        IF value IS NULL THEN misses := misses + 1; ELSE hits := hits + 1; END IF;
        IF entry.expires_at <= before THEN INSERT INTO soak.faults VALUES ('served at ' || before, entry.expires_at); END IF;
    ELSIF dice < 0.95 THEN
        PERFORM audiostore.cache_put(k, soak.value(k, clock_timestamp(), ttl), 1, compression => 'none', ttl => ttl,
                                     metadata => jsonb_build_object('session', k));
        puts := puts + 1;
        IF dice < 0.69 THEN ROLLBACK; END IF;
    ELSIF dice < 0.98 THEN
        PERFORM audiostore.cache_invalidate(jsonb_build_object('session', k));
    ELSIF dice < 0.985 THEN
        PERFORM audiostore.evict_lru(200);
    ELSIF dice < 0.99 THEN
        PERFORM audiostore.evict_expired();
    ELSE
        INSERT INTO audiostore.audio_chunk_cache (cache_key, audio_data, duration_ms, expires_at)
        SELECT k, soak.value(k, now(), '1 day'), 1, now() + interval '1 day'
        WHERE NOT EXISTS (SELECT FROM audiostore.audio_chunk_cache c WHERE c.cache_key = k);
    END IF;
    IF soak.fault(k, value, before) IS NOT NULL THEN INSERT INTO soak.faults VALUES (k, soak.fault(k, value, before)); END IF;
    COMMIT;
END $$;
CREATE PROCEDURE soak.client(seconds float8) LANGUAGE plpgsql AS $$
DECLARE
    hits bigint := 0; misses bigint := 0; puts bigint := 0;
    until timestamptz := clock_timestamp() + make_interval(secs => seconds);
BEGIN
    WHILE clock_timestamp() < until LOOP CALL soak.step(hits, misses, puts); END LOOP;
    INSERT INTO soak.counts VALUES (hits, misses, puts);
END $$;
SQL

# A client whose session ends, by an error or by being killed, begins again. Expected errors: being killed, a key that
# somebody else inserted meanwhile, deadlocks of the plain INSERT's table locks.
sub client {
    my ($until, $log) = @_;
    while ((my $left = $until - time) > 0.1) {
        my ($status, $out, $err) = eval { $node->psql('postgres', "SET application_name = 'soak'; CALL soak.client($left)") };
        # A psql that is refused may be gone before it was told what to do.
        if ($@) {
            die $@ if $@ !~ /Broken pipe/;
            next;
        }
        open my $file, '>>', $log or die $!;
        print $file grep { !/duplicate key value|terminating connection|server closed the connection|connection to server was lost|deadlock detected|This probably means|before or while processing|database system is|could not connect|Connection refused|connection to server at|connection to server on socket|not yet accepting/ }
          grep { /ERROR|FATAL|PANIC|lost/ } map { "$_\n" } split /\n/, $err;
        close $file;
    }
    return;
}

my $logs = PostgreSQL::Test::Utils::tempdir();

sub start_clients {
    my ($until) = @_;
    my @children;
    for my $i (1 .. $clients) {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            # A child that died would stop the server of all of them at its end.
            unless (eval { client($until, "$logs/$i"); 1 }) {
                open my $log, '>>', "$logs/$i" or die "$logs/$i: $!";
                print $log $@;
                close $log;
            }
            require POSIX;
            POSIX::_exit(0);
        }
        push @children, $pid;
    }
    return @children;
}

sub check_values {
    my ($when) = @_;
    my @errors = map { slurp_file("$logs/$_") } grep { -s "$logs/$_" } 1 .. $clients;
    is(join('', @errors), '', "$when: no other errors than those that are to be expected");
    is($node->safe_psql('postgres', 'SELECT * FROM soak.faults LIMIT 5'), '',
        "$when: no value was torn, another key's, or served after its time");
    is($node->safe_psql('postgres', 'SELECT cache_key FROM audiostore.audio_chunk_cache GROUP BY 1 HAVING count(*) > 1'), '',
        "$when: no key is there twice");
    is($node->safe_psql('postgres', q{SELECT count(*) FROM audiostore.audio_chunk_cache c
        WHERE soak.fault(c.cache_key, c.audio_data, '-infinity') IS NOT NULL}), '0', "$when: all values are whole");
    is($node->safe_psql('postgres', q{SELECT count(*) FROM audiostore.audio_chunk_cache c
        WHERE c.expires_at > clock_timestamp() + interval '1 minute'
          AND audiostore.cache_get(c.cache_key) IS DISTINCT FROM c.audio_data}), '0', "$when: lookups find what is there");
    return;
}

my $until = time + $seconds;
my @children = start_clients($until);
my $killed = 0;
while (time < $until - 3) {
    sleep 0.2;
    $killed += $node->safe_psql('postgres', q{SELECT count(pg_terminate_backend(pid)) FROM
        (SELECT pid FROM pg_stat_activity WHERE application_name = 'soak' ORDER BY random() LIMIT 1) a});
}
waitpid $_, 0 for @children;
cmp_ok($killed, '>', 20, "$killed sessions were killed");
check_values('sessions killed');
cmp_ok($node->safe_psql('postgres', 'SELECT audiostore_cache.reused_pages()'), '>', 500, 'pages of evicted entries were used again');
is($node->safe_psql('postgres', q{SELECT s.hits >= sum(c.hits) AND s.misses >= sum(c.misses) AND s.puts >= sum(c.puts)
    FROM audiostore.cache_stats() s, soak.counts c GROUP BY s.hits, s.misses, s.puts}), 't',
    'nothing is missing from the counts');

# Crashes, in the middle of it. A slow server takes its time to come back, and clients that had enough of it are begun
# anew, until it has crashed twice.
my ($crashes, $deadline) = (0, time + 10 * $seconds);
do {
    $until = time + $seconds / 2;
    @children = start_clients($until);
    while (time < $until - 3) {
        sleep 1;
        my $victim = $node->ask(q{SELECT pid FROM pg_stat_activity
            WHERE application_name = 'soak' AND state = 'active' ORDER BY random() LIMIT 1});
        next unless ($victim // '') =~ /^\d+$/;
        $crashes += kill 'KILL', $victim;
        $node->wait_until_back;
    }
    waitpid $_, 0 for @children;
} until ($crashes > 1 || time > $deadline);
cmp_ok($crashes, '>', 1, "$crashes times the server crashed");
$node->wait_until_back;
check_values('crashes');

# Without kills they are exact, for entries that stay where they are.
$node->append_conf('postgresql.conf', 'audiostore.cache_max_entries = 10000');
$node->reload;
$node->safe_psql('postgres', q{SELECT audiostore.evict_lru(0); TRUNCATE soak.counts;
    SELECT count(audiostore.cache_put('k' || i, soak.value('k' || i, now(), '1 day'), 1, compression => 'none', ttl => '1 day'))
    FROM generate_series(0, 600) i});
my ($hits) = $node->safe_psql('postgres', 'SELECT hits FROM audiostore.cache_stats()');
@children = ();
for (1 .. 8) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $node->psql('postgres', q{SELECT count(audiostore.cache_get('k' || i % 601)) FROM generate_series(1, 5000) i});
        require POSIX;
        POSIX::_exit(0);
    }
    push @children, $pid;
}
waitpid $_, 0 for @children;
is($node->safe_psql('postgres', "SELECT hits - $hits FROM audiostore.cache_stats()"), '40000', 'every hit is counted');
ok($node->poll_query_until('postgres', 'SELECT sum(hit_count) = 40000 FROM audiostore.audio_chunk_cache'), 'and folded into its row');

# A crash: what was committed is there, unlogged hits are lost at most.
$node->safe_psql('postgres', 'CHECKPOINT');
my $entries = $node->safe_psql('postgres', 'SELECT count(*), sum(hit_count) FROM audiostore.audio_chunk_cache');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*), sum(hit_count) FROM audiostore.audio_chunk_cache'), $entries,
    'a crash loses no entry, and no hits folded before the last checkpoint');
is($node->safe_psql('postgres', q{SELECT count(audiostore.cache_get('k' || i)) FROM generate_series(0, 600) i}), '601', 'lookups find them');

$node->stop;
done_testing();
