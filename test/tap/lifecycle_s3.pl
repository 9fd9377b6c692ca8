# Tiering into, within and between buckets of a real Ceph gateway, and the unfinished uploads that audits find there. What
# is in a bucket, and in which storage class, is always asked of Ceph, not of the code under test.
use strict;
use warnings;
use utf8;

use Digest::MD5 qw(md5_hex);
use Encode qw(decode_utf8 encode_utf8);
use Test::More;

use Audiostore::Ceph;
use Audiostore::FaultProxy;
use Audiostore::Node;

my $ceph = Audiostore::Ceph->start or plan skip_all => 'Ceph is not installed';
$ceph->make_bucket($_) for qw(media archive);
my $proxy = Audiostore::FaultProxy->start($ceph->endpoint);

# The worker rests until the last parts, so that each step runs when the test says so.
my $node = Audiostore::Node->new('lifecycle_s3', settings => { 'audiostore.enabled' => 'off' });
my %patient = (max_attempts => 1000, max_retry_delay => '200ms', request_timeout => '3s');
$node->local_store('disk', archive_store => 'archive', max_attempts => 1000, max_retry_delay => '200ms');
$node->s3_store('media', $ceph, bucket => 'media', endpoint => $proxy->url, prefix => 'live/', %patient);
$node->s3_store('archive', $ceph, bucket => 'archive', endpoint => $proxy->url, storage_class => 'GLACIER', %patient);

sub sql { my ($query) = @_; return decode_utf8($node->safe_psql('postgres', encode_utf8($query))); }
sub run { my ($what) = @_; return sql("CALL audiostore.run('$what')"); }
sub wait_for { my ($query, $what) = @_; return ok($node->poll_query_until('postgres', encode_utf8("SELECT $query")), $what); }

# key class, as Ceph has them.
sub stored {
    my ($bucket) = @_;
    return [ map { decode_utf8("$_->{key} $_->{storage_class}") } $ceph->objects($bucket) ];
}

# All that is due, moves and what comes after them included.
sub run_all {
    run('policies');
    for (1 .. 3) { $node->run_until_drained; run('outbox'); }
    is(sql('SELECT (SELECT count(*) FROM audiostore.moves), (SELECT count(*) FROM audiostore.operation_receipts)'), '0|0', 'no move is left');
    return;
}

sql(q{CREATE TABLE files (id integer PRIMARY KEY, store text, path text, class text, made timestamptz DEFAULT now() - interval '2 years',
        archived_at timestamptz);
    CREATE INDEX ON files (made);
    SELECT audiostore.track('files', 'path', store_column => 'store')});

subtest 'from a directory into the class of a bucket' => sub {
    sql(q{INSERT INTO files (id, store, path) VALUES (1, 'disk', 'shows/one.wav'), (2, 'disk', 'Số Đỏ/100% +2.wav'), (3, 'disk', 'large.wav');
        INSERT INTO files (id, store, path, made) VALUES (4, 'disk', 'young.wav', now());
        SELECT audiostore.put_object('disk', path, convert_to(path, 'UTF8'), 'audio/wav', '{"take": "7"}') FROM files WHERE id <> 3;
        SELECT audiostore.put_object('disk', 'large.wav', decode(string_agg(md5(i::text), ''), 'hex'), 'audio/wav')
        FROM generate_series(1, 1300000) i});
    $node->run_until_drained;
    my $policy = sql(q{SELECT audiostore.add_tiering_policy('files', '1 year', 'made', to_store => 'archive',
        assignments => '{"class": "archived", "archived_at": "now"}')});
    run('policies');
    is(sql(q{SELECT count(*) FROM files WHERE store <> 'disk' OR class IS NOT NULL OR archived_at IS NOT NULL}), '0', 'no row changes before its object is there');
    is_deeply(stored('archive'), [], 'and none is yet');
    run_all();
    is_deeply(stored('archive'), [ map { "$_ GLACIER" } 'Số Đỏ/100% +2.wav', 'large.wav', 'shows/one.wav' ], 'they arrive in the class that the store has for new objects');
    my ($large) = grep { $_->{key} eq 'large.wav' } $ceph->objects('archive');
    like("$large->{size} $large->{etag}", qr/^20800000 .*-[0-9]+/, 'the large one in parts');
    is(sql(q{SELECT string_agg(concat_ws(' ', id, store, path, class, archived_at > now() - interval '1 hour'), ', ' ORDER BY id) FROM files}),
        '1 archive shows/one.wav archived t, 2 archive Số Đỏ/100% +2.wav archived t, 3 archive large.wav archived t, 4 disk young.wav', 'and their rows follow');
    is(sql(q{SELECT convert_from(audiostore.get_object('archive', path), 'UTF8') = path, (audiostore.head_object('archive', path)).content_type,
        (audiostore.head_object('archive', path)).metadata ->> 'take' FROM files WHERE id = 2}), 't|audio/wav|7', 'as they were');
    is_deeply([ $node->files('disk') ], ['young.wav'], 'what has moved is gone from the directory');
    sql("SELECT audiostore.remove_policy($policy); DELETE FROM files");
    $node->run_until_drained;
    is_deeply(stored('archive'), [], 'and goes with its row from where it is now');
};

subtest 'from one class into another' => sub {
    sql(q{INSERT INTO files (id, store, path) SELECT n, 'media', 'f/' || n FROM generate_series(1, 4) n;
        INSERT INTO files (id, store, path) VALUES (5, 'disk', 'f/5'), (6, 'media', 'gone');
        SELECT audiostore.put_object(store::name, path, convert_to(path, 'UTF8'), 'audio/flac', '{"who": "me"}') FROM files WHERE id < 6});
    $node->run_until_drained;
    is_deeply(stored('media'), [ map { "live/f/$_ STANDARD" } 1 .. 4 ], 'objects');
    my $policy = sql(q{SELECT audiostore.add_tiering_policy('files', '1 year', 'made', class_expression => $$CASE id WHEN 1 THEN 'infrequent'
        WHEN 2 THEN 'COLD' WHEN 3 THEN NULL WHEN 4 THEN 'archive' ELSE 'infrequent' END$$, assignments => '{"class": "moved"}')});
    sql(q{ALTER SERVER media OPTIONS (SET max_attempts '1')});
    run('policies');
    run('outbox') for 1 .. 3;
    is_deeply(stored('media'), [ 'live/f/1 STANDARD_IA', 'live/f/2 COLD', 'live/f/3 STANDARD', 'live/f/4 STANDARD' ],
        'changes what it says for each row; what the gateway does not know (DEEP_ARCHIVE) it refuses');
    is(sql(q{SELECT string_agg(concat_ws(' ', id, store, class), ', ' ORDER BY id) FROM files}),
        '1 media moved, 2 media moved, 3 media, 4 media, 5 archive moved, 6 media', 'rows follow their objects, and only those');
    is_deeply(stored('archive'), ['f/5 GLACIER'], 'from a store without classes they move to its archive');
    is(sql(q{SELECT string_agg(concat_ws(' ', key, state), ', ' ORDER BY key) FROM audiostore.policy_moves}), 'f/4 dead, gone dead', 'what was refused waits for somebody to decide');
    is(sql(q{SELECT (audiostore.head_object('media', 'f/2')).content_type, (audiostore.head_object('media', 'f/2')).metadata ->> 'who'}), 'audio/flac|me',
        'a change of class changes nothing else');
    sql(q{ALTER SERVER media OPTIONS (SET max_attempts '1000')});
    sql("SELECT audiostore.remove_policy($policy)");
    sql('SELECT audiostore.cancel_operation(id) FROM audiostore.dead_operations');
    run_all();
    sql('DELETE FROM files');
    $node->run_until_drained;
    is_deeply([ @{ stored('media') }, @{ stored('archive') } ], [], 'they go with their rows, whatever their class');
};

subtest 'each workspace has its own class' => sub {
    sql(q{INSERT INTO audiostore.workspaces (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'thrifty'), ('00000000-0000-0000-0000-000000000002', 'usual');
        INSERT INTO audiostore.storage_quotas (workspace_id, archive_threshold_days, archive_storage_class, auto_cleanup)
            VALUES ('00000000-0000-0000-0000-000000000001', 30, 'infrequent', true), ('00000000-0000-0000-0000-000000000002', 30, NULL, true);
        INSERT INTO audiostore.audio_uploads (workspace_id, store, storage_path, file_size, status, uploaded_at)
            SELECT id, 'media', 'w/' || name, 3, 'completed', now() - interval '31 days' FROM audiostore.workspaces;
        SELECT audiostore.put_object('media', storage_path, 'abc') FROM audiostore.audio_uploads});
    $node->run_until_drained;
    sql(q{SELECT audiostore.enable_policy('workspace_archive')});
    run_all();
    is_deeply(stored('media'), [ 'live/w/thrifty STANDARD_IA', 'live/w/usual GLACIER' ], 'the built-in policy asks its quota');
    is(sql('SELECT count(*), count(archived_at), min(status) FROM audiostore.audio_uploads'), '2|2|archived', 'rows say so');
    sql(q{SELECT audiostore.disable_policy('workspace_archive'); DELETE FROM audiostore.audio_uploads});
    $node->run_until_drained;
};

sub worker {
    my ($state) = @_;
    $node->append_conf('postgresql.conf', "audiostore.enabled = $state");
    $node->reload;
    return wait_for("audiostore.worker_state() = '" . ($state eq 'on' ? 'running' : 'disabled') . q{'}, "the worker is $state");
}

subtest 'over a faulty network' => sub {
    my $seed = $ENV{AUDIOSTORE_TEST_SEED} // int(rand(1 << 30));
    note "seed $seed (AUDIOSTORE_TEST_SEED)";
    sql(q{INSERT INTO files (id, store, path) SELECT n, CASE WHEN n % 2 = 0 THEN 'disk' ELSE 'media' END, 's/' || n FROM generate_series(1, 60) n;
        SELECT audiostore.put_object(store::name, path, convert_to(repeat(path, 1000), 'UTF8')) FROM files});
    $node->run_until_drained;
    $proxy->faults(
        seed => $seed, slowdown => 0.1, error => 0.05, reset => 0.1, hang => 0.01, lost_reply => 0.1, truncate => 0.05,
        broken => 0.05, delay => 0.2, delay_ms => 50, key_error => 0.2);
    worker('on');
    # To the other bucket or into it, and there into another class as soon as they are there.
    sql(q{SELECT audiostore.add_tiering_policy('files', '1 year', 'made', to_store => 'archive', assignments => '{"archived_at": "now"}', schedule => '1 second'),
        audiostore.add_tiering_policy('files', '1 year', 'made', 'COLD', condition => $$store = 'archive'$$, assignments => '{"class": "COLD"}', schedule => '1 second')});
    sql(q{DELETE FROM files WHERE id % 10 = 0});
    wait_for(q{NOT EXISTS (SELECT FROM files WHERE store <> 'archive' OR class IS DISTINCT FROM 'COLD' OR archived_at IS NULL)}, 'all get there');
    ok($node->wait_until_drained(300), 'the queue is empty in the end');
    wait_for('NOT EXISTS (SELECT FROM audiostore.moves)', 'no move is left');
    ok($node->wait_until_drained(300), 'nor what comes after one');
    $proxy->faults;
    worker('off');
    is_deeply(stored('archive'), [ sort map { "s/$_ COLD" } grep { $_ % 10 } 1 .. 60 ], 'each row has its object, in its class, and no other is there');
    my %md5 = map { $_->{key} => $_->{etag} =~ tr/"//dr } $ceph->objects('archive');
    is_deeply([ grep { $md5{"s/$_"} ne md5_hex("s/$_" x 1000) } grep { $_ % 10 } 1 .. 60 ], [], 'with its bytes');
    is_deeply([ @{ stored('media') }, $node->files('disk') ], [], 'nothing is left where they were');
    is(sql('SELECT count(*) FROM audiostore.dead_operations'), '0', 'nothing was given up') or diag sql('SELECT kind, store, key, attempts, last_error FROM audiostore.dead_operations; TABLE audiostore.policy_moves; SELECT id, last_error, last_row_error FROM audiostore.policy_status');
};

subtest 'unfinished uploads are found' => sub {
    my @odd = ('half.wav', 'a b+c%20.wav', 'Số Đỏ.wav', 'x&y<z>.wav');
    my %id;
    @id{@odd} = $ceph->begin_uploads('media', map { encode_utf8("live/$_") } @odd);
    # Twice for one key, beyond the store's prefix, and more than a page of the listing.
    my ($second) = $ceph->begin_uploads('media', 'live/half.wav');
    $ceph->begin_uploads('media', 'live', 'other/half.wav');
    is(scalar(my @many = $ceph->begin_uploads('media', map { sprintf 'live/many/%04d', $_ } 1 .. 1100)), 1100, 'begun');
    sql(q{SELECT audiostore.put_object('media', 'stray.wav', 'x'), audiostore.put_object('media', 'short.wav', 'x');
        INSERT INTO files (id, store, path) VALUES (1001, 'media', 'absent.wav'), (1002, 'media', 'short.wav')});
    $node->run_until_drained;
    # Times of objects are whole seconds.
    wait_for(q{EXISTS (SELECT FROM audiostore.audit_store('media', min_age => '0') WHERE key = 'stray.wav')}, 'the orphan is old enough');
    my $found = sub {
        my ($arguments) = @_;
        return sql("SELECT string_agg(concat_ws(' ', finding, key), ', ' ORDER BY finding, key COLLATE \"C\") FROM audiostore.audit_store('media', min_age => '0'$arguments)
            WHERE key NOT LIKE 'many/%'");
    };
    my $objects = 'dangling_row absent.wav, orphaned_object stray.wav';
    my $uploads = join ', ', map { "unfinished_upload $_" } 'Số Đỏ.wav', 'a b+c%20.wav', 'half.wav', 'half.wav', 'x&y<z>.wav';
    is($found->(''), "$objects, $uploads", 'each of them once, besides orphaned objects and dangling rows');
    is(sql(q{SELECT count(*), count(DISTINCT key), bool_and(detail LIKE 'upload %'), bool_and(last_modified BETWEEN now() - interval '1 hour' AND now() + interval '1 minute')
        FROM audiostore.audit_store('media', 'many', min_age => '0')}), '1100|1100|t|t', 'of a prefix, over pages');
    is(sql(q{SELECT count(*) FROM audiostore.audit_store('media')}), '1', 'not those that may still go on: only the row without object');
    like(sql(q{SELECT string_agg(detail, ' ') FROM audiostore.audit_store('media', 'half.wav*', min_age => '0')}), qr/\Q$_\E/, 'by its id') for $id{'half.wav'}, $second;

    my $audit = sql(q{SELECT audiostore.start_audit('media', min_age => '0')});
    run('audits');
    is(sql("SELECT state, complete, error FROM audiostore.audits WHERE id = $audit"), 'done|t|', 'in the background as well');
    is(sql("SELECT finding, count(*) FROM audiostore.audit_findings WHERE audit_id = $audit GROUP BY 1 ORDER BY 1"),
        "dangling_row|1\norphaned_object|1\nunfinished_upload|1105", 'with the same findings');
    is(sql("SELECT outcome, key FROM audiostore.purge_orphans($audit, dry_run => false, max_fraction => 1)"), 'delete queued|stray.wav', 'a purge is for objects');
    $node->run_until_drained;
    is(scalar(my @still = $ceph->unfinished_uploads('media')), 1000, 'and lets uploads alone (a page of them)');
    $ceph->abort_upload('media', encode_utf8("live/$_"), $id{$_}) for @odd;
    is($found->(''), 'dangling_row absent.wav, unfinished_upload half.wav', 'those that were aborted are no findings');
    $ceph->abort_upload('media', 'live/half.wav', $second);
    is($found->(''), 'dangling_row absent.wav', 'nor is the last one');
};

# The statements of this test have it in them; what the library and its worker say must not.
$node->stop;
is_deeply([ grep { /tester-secret/ && !/LOG:  statement|STATEMENT/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile) ], [], 'no secret in the log');
done_testing();
