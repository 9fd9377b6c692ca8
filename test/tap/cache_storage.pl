# Pages of emptied segments are used again: whatever the server is doing when it crashes, with and without checksums,
# logged and unlogged, committed entries have their own audio afterwards, or (unlogged) are gone. And the worker gives
# back what is not needed.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Node;

my $node;
sub sql { my ($query) = @_; return $node->safe_psql('postgres', "SET search_path = audiostore; $query"); }

sub fill {
    my ($first, $last, $round) = @_;
    sql("SELECT count(cache_put('s' || i, storage.audio(i, $round), 1, compression => 'none', ttl => '1 day',
        metadata => jsonb_build_object('round', $round))) FROM generate_series($first, $last) i");
    return;
}

sub crash {
    $node->stop('immediate');
    $node->start;
    return;
}
sub reused { return sql('SELECT audiostore_cache.reused_pages()'); }

# check(ENTRIES, WHAT): so many entries, all of them with their own audio; and nothing is wrong with the tables.
my ($amcheck, $visibility);
sub check {
    my ($entries, $what) = @_;
    is(sql('SELECT * FROM storage.intact'), "$entries|$entries", $what);
    is(sql(q{SELECT count(*) FROM pg_class s, LATERAL (SELECT * FROM public.pg_check_frozen(s.oid) UNION ALL
            SELECT * FROM public.pg_check_frozen(s.reltoastrelid) UNION ALL SELECT * FROM public.pg_check_visible(s.reltoastrelid)) faults
        WHERE s.relname ~ '^segment_\d\d$'}), '0', "$what: visibility maps are right") if $visibility;
    return if !$amcheck;
    is(sql(q{SELECT count(*) FROM pg_class s, LATERAL (SELECT * FROM public.verify_heapam(s.oid, check_toast => true)
            UNION ALL SELECT * FROM public.verify_heapam(s.reltoastrelid)) faults WHERE s.relname ~ '^segment_\d\d$'}), '0', "$what: no fault in the tables");
    sql(q{SELECT public.bt_index_check(i.indexrelid, i.indrelid = s.oid) FROM pg_class s JOIN pg_index i ON i.indrelid IN (s.oid, s.reltoastrelid)
        WHERE s.relname ~ '^segment_\d\d$'});
    return;
}

sub prepare {
    sql(q{CREATE SCHEMA storage;
        CREATE FUNCTION storage.audio(i integer, round integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS
            $$ SELECT decode(repeat(md5(i || ' ' || round), 400), 'hex') $$;
        CREATE VIEW storage.intact AS SELECT count(*) AS entries, count(*) FILTER (WHERE
            audiostore.cache_get(cache_key) = storage.audio(substr(cache_key, 2)::integer, (metadata->>'round')::integer)) AS intact
            FROM audiostore.audio_chunk_cache;});
    $amcheck = sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'});
    sql('CREATE EXTENSION amcheck SCHEMA public') if $amcheck;
    $visibility = sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_visibility'});
    sql('CREATE EXTENSION pg_visibility SCHEMA public') if $visibility;
    return;
}

# All of it once. What a crash leaves of entries that are committed: all, or nothing.
sub crashes {
    my ($name, $unlogged) = @_;
    my $left = sub { return $unlogged ? 0 : $_[0]; };
    sql('SELECT evict_lru(0)');
    sql("CALL run('expiry')");

    fill(1, 400, 1);
    sql('CHECKPOINT; SELECT evict_lru(0)');
    crash();
    check(0, "$name: a crash after emptying");
    fill(1, 400, 2);
    check(400, "$name: and the pages are used again");

    sql('SELECT evict_lru(0)');
    my $before = reused();
    fill(1, 200, 3);
    cmp_ok(reused(), '>', $before + 100, "$name: pages are used again at once");
    crash();
    check($left->(200), "$name: a crash after using pages again");
    fill(201, 400, 3);
    check($left->(200) + 200, "$name: and it goes on");

    # Pages that were emptied reach the disk before what is put into them.
    sql('SELECT evict_lru(0); CHECKPOINT');
    fill(1, 100, 4);
    sql('CHECKPOINT');
    fill(101, 300, 4);
    crash();
    check($left->(300), "$name: a checkpoint in between");

    # The commit of the emptying may be lost; then so is what came after.
    sql('SELECT evict_lru(0)');
    fill(1, 300, 5);
    sql('CHECKPOINT');
    sql('SET synchronous_commit = off; SELECT evict_lru(0)');
    sql(q{SET synchronous_commit = off; SELECT count(cache_put('s' || i, storage.audio(i, 6), 1, compression => 'none', ttl => '1 day',
        metadata => '{"round": 6}')) FROM generate_series(1, 5) i});
    crash();
    my $entries = sql('SELECT count(*) FROM audio_chunk_cache');
    ok($unlogged || $entries == 300 || $entries == 0 || $entries == 5, "$name: the emptying was committed or not ($entries entries)");
    check($entries, "$name: asynchronous commits");

    # Neither the emptying nor what its transaction put was committed.
    sql('SELECT evict_lru(0)');
    fill(1, 300, 7);
    my $session = $node->background_psql('postgres');
    $session->query_safe(q{BEGIN; SELECT audiostore.evict_lru(0);
        SELECT count(audiostore.cache_put('s' || i, storage.audio(i, 8), 1, compression => 'none', ttl => '1 day',
        metadata => '{"round": 8}')) FROM generate_series(1, 300) i});
    sql('CHECKPOINT');
    $node->stop('immediate');
    eval { $session->quit };
    $node->start;
    check($left->(300), "$name: a crash before the eviction commits");

    # Some stay.
    sql('SELECT evict_lru(0)');
    fill(1, 400, 9);
    sql('CHECKPOINT; SELECT evict_lru(100)');
    crash();
    check($left->(100), "$name: a crash after an eviction that leaves some");
    fill(1, 400, 10) if $unlogged;
    sql('SELECT evict_lru(50)');
    check(50, "$name: some more go");
    $before = reused();
    fill(501, 800, 10);
    cmp_ok(reused(), '>', $before + 100, "$name: what went makes room");
    check(350, "$name: for others");
    crash();
    check($left->(350), "$name: and a crash");

    # An old snapshot sees nothing that is newer, wherever that lies by now, and nothing is too old for its new file.
    sql('SELECT evict_lru(0)');
    $session = $node->background_psql('postgres');
    $session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current_snapshot()');
    fill(1, 100, 13);
    fill(101, 200, 13);
    sql('SELECT evict_lru(60)');
    is($session->query_safe('SELECT count(*) FROM audiostore.audio_chunk_cache'), '0', "$name: an old snapshot sees no newer rows");
    check(60, "$name: others do");
    $session->query_safe('COMMIT');
    $session->quit;
    sql('VACUUM (FREEZE) audio_chunk_cache');
    check(60, "$name: and they can be frozen");

    # Prepared transactions keep the segments to themselves, over a crash as well.
    for my $end ('ROLLBACK', 'COMMIT') {
        sql('SELECT evict_lru(0)');
        fill(1, 200, 14);
        sql("BEGIN; SELECT evict_lru(20); PREPARE TRANSACTION 'storage'");
        crash() unless $unlogged;
        sql("$end PREPARED 'storage'");
        fill(401, 500, 14);
        check(($end eq 'COMMIT' ? 20 : 200) + 100, "$name: an eviction was prepared, then: $end");
    }

    # VACUUM sees the pages as full of rows.
    sql('SELECT evict_lru(0)');
    fill(1, 300, 11);
    sql('SELECT evict_lru(40)');
    sql('VACUUM (FREEZE) audio_chunk_cache');
    check(40, "$name: VACUUM takes nothing that stays");
    $before = reused();
    fill(401, 600, 12);
    cmp_ok(reused(), '>', $before + 100, "$name: frozen pages are used again");
    sql('VACUUM audio_chunk_cache');
    check(240, "$name: and VACUUM again");
    is(sql(q{SELECT count(*) FROM pg_class s JOIN pg_class t ON t.oid IN (s.oid, s.reltoastrelid)
        WHERE s.relname ~ '^segment_\d\d$' AND age(t.relfrozenxid) > 1000000}), '0', "$name: and nothing gets too old");
    sql("UPDATE audio_chunk_cache SET metadata = metadata || '{\"more\": 1}'");
    sql('DELETE FROM audio_chunk_cache WHERE substr(cache_key, 2)::integer > 500');
    sql('VACUUM audio_chunk_cache');
    check(140, "$name: rows that were changed and deleted");
    return;
}

for my $checksums (0, 1) {
    my $name = $checksums ? 'with checksums' : 'without checksums';
    $node = Audiostore::Node->new($checksums ? 'checksums' : 'plain', allows_streaming => 1, settings => {'audiostore.enabled' => 'off', 'audiostore.cache_durability' => 'logged',
        wal_keep_size => "'512MB'"});
    if ($checksums) {
        $node->stop;
        command_ok([ 'pg_checksums', '--enable', '-D', $node->data_dir ], 'checksums');
        $node->start;
    }
    prepare();
    $node->backup('before');
    my $standby = PostgreSQL::Test::Cluster->new("standby_$checksums");
    $standby->init_from_backup($node, 'before', has_streaming => 1);
    $standby->start;
    crashes("$name, logged", 0);
    $node->wait_for_catchup($standby, 'replay', $node->lsn('write'));
    is($standby->safe_psql('postgres', 'SELECT * FROM storage.intact'), sql('SELECT * FROM storage.intact'), "$name: a standby has the same");
    $standby->stop;
    $node->append_conf('postgresql.conf', 'audiostore.cache_durability = unlogged');
    $node->reload;
    crashes("$name, unlogged", 1);
    $node->stop;
    command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'no page is broken') if $checksums;
    is(scalar(() = slurp_file($node->logfile) =~ /(?:WARNING|PANIC): /g), 0, "$name: nothing went wrong meanwhile");
}

# The worker: what is empty, and what a few entries hold back, goes by itself.
$node = Audiostore::Node->new('worker');
prepare();
my $size = q{(SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('audiostore.audio_chunk_cache'))};
fill(1, 2000, 1);
my $full = sql("SELECT $size");
cmp_ok($full, '>', 12_000_000, 'a cache of 12 MB');
sql('SELECT evict_lru(0)');
ok($node->poll_query_until('postgres', "SELECT $size < $full / 4"), 'the worker gives back what is empty');
fill(1, 2000, 2);
sql('SELECT evict_lru(50)');
ok($node->poll_query_until('postgres', "SELECT $size < $full / 4"), 'and what a few entries hold back');
check(50, 'which are still there');
$node->stop;
done_testing();
