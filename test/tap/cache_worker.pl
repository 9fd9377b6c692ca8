# The worker keeps the cache within its limits by itself, folds hits into the rows and counters into their table, and a
# restart forgets nothing that is committed.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Node;

my $node = Audiostore::Node->new('main', settings => {'audiostore.cache_max_entries' => 2000});
sub sql { my ($query) = @_; return $node->safe_psql('postgres', "SET search_path = audiostore; $query"); }
sub wait_until { my ($condition, $what) = @_; ok($node->poll_query_until('postgres', "SELECT $condition"), $what); return; }

# put(FIRST, LAST, TTL): one transaction for each
sub put {
    my ($first, $last, $ttl) = @_;
    sql("DO \$\$ BEGIN FOR i IN $first..$last LOOP
        PERFORM cache_put('k' || i, convert_to(repeat(md5(i::text), 100), 'UTF8'), 1, compression => 'none', ttl => '$ttl'); COMMIT;
        END LOOP; END \$\$");
    return;
}
my $intact = q{bool_and(cache_get('k' || i) IS NULL OR cache_get('k' || i) = convert_to(repeat(md5(i::text), 100), 'UTF8'))};

put(1, 100, '1 hour');
is(sql('SELECT count(cache_get(\'k\' || i)) FROM generate_series(1, 100) i, generate_series(1, 10)'), '1000', 'hits');
wait_until('sum(hit_count) = 1000 AND count(*) FILTER (WHERE hit_count = 10) = 100 FROM audiostore.audio_chunk_cache',
    'all of them are folded into the rows');
sql("SELECT cache_get('nothing')");
wait_until('hits = 1000 AND misses = 1 AND puts = 100 FROM audiostore.cache_counters', 'and counted by hour');
is(sql('SELECT hits, misses, puts, round(hit_rate::numeric, 4), entries, jsonb_array_length(by_hour) FROM cache_stats()'),
    '1000|1|100|0.9990|100|1', 'cache_stats() says so');

put(101, 200, '1 s');
wait_until(q{count(*) = 100 FROM audiostore.audio_chunk_cache}, 'expired entries go by themselves');
is(sql("SELECT count(cache_get('k' || i)) FROM generate_series(1, 200) i"), '100', 'and only those');
wait_until(q{sum(expired) = 100 FROM audiostore.cache_counters}, 'counted as expired');

# The first hundred are in use, so they outlive three times as many entries as there is room for.
for my $round (0 .. 11) {
    put(1001 + 500 * $round, 1500 + 500 * $round, '1 hour');
    sql("SELECT count(cache_get('k' || i)) FROM generate_series(1, 100) i");
}
wait_until('count(*) <= 2000 FROM audiostore.audio_chunk_cache', 'the cache stays within its limit');
is(sql("SELECT count(cache_get('k' || i)) FROM generate_series(1, 100) i"), '100', 'what is in use stays');
cmp_ok(sql('SELECT count(*) FROM audio_chunk_cache'), '>', 1500, 'and no more goes than must');
is(sql("SELECT $intact FROM generate_series(1, 7000) i"), 't', 'values are what they were');
cmp_ok(sql("SELECT sum(pg_total_relation_size(relid)) / (SELECT sum(length(audio_data)) FROM audio_chunk_cache) FROM pg_partition_tree('audio_chunk_cache')"),
    '<', 2.5, 'the files are about as large as what is in them');

sql("SELECT cache_invalidate('{\"none\": 1}')");
my $before = sql('SELECT count(*), sum(hashtext(cache_key)) FROM audio_chunk_cache');
$node->restart;
is(sql('SELECT count(*), sum(hashtext(cache_key)) FROM audio_chunk_cache'), $before, 'a restart loses nothing');
is(sql("SELECT count(cache_get('k' || i)) FROM generate_series(1, 100) i"), '100', 'and lookups find it');
put(1, 100, '1 day');
is(sql("SELECT count(*), count(DISTINCT cache_key) FROM audio_chunk_cache WHERE cache_key ~ '^k\\d{1,2}\$'"), '99|99',
    'puts replace what was there before');

# Replaced entries are dead rows: a segment that consists of them is emptied.
$node->append_conf('postgresql.conf', "audiostore.cache_cleanup_interval = 1\naudiostore.cache_durability = unlogged");
$node->reload;
for (1 .. 40) { put(1, 100, '1 day'); }
wait_until(q{(SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('audiostore.audio_chunk_cache'))
    < 2.5 * (SELECT sum(length(audio_data)) FROM audiostore.audio_chunk_cache)}, 'dead rows go without VACUUM');

sql('SELECT evict_lru(0)');
put(1, 100, '1 day');
is(sql("SELECT DISTINCT relpersistence FROM audio_chunk_cache c JOIN pg_class p ON p.oid = c.tableoid"), 'u',
    'a segment is as durable as the setting says when it is opened');
$node->stop('immediate');
$node->start;
is(sql("SELECT count(*), count(cache_get('k1')) FROM audio_chunk_cache"), '0|0', 'unlogged entries are gone after a crash');
put(1, 100, '1 day');
is(sql("SELECT count(cache_get('k' || i)) FROM generate_series(1, 100) i"), '100', 'and the cache goes on');

sql('DROP EXTENSION audiostore CASCADE');
sql('CREATE EXTENSION audiostore');
is(sql("SELECT cache_get('k1') IS NULL AND cache_put('k1', 'x', 1) AND cache_get('k1') IS NULL"), 't', 'dropped and created again');
is(sql("SELECT cache_get('k1')"), '\x78', 'it works like new');
is(scalar(() = slurp_file($node->logfile) =~ /(?:WARNING|PANIC|ERROR): /g), 0, 'nothing went wrong meanwhile');

$node->stop;
done_testing();
