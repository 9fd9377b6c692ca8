# The driver s3 against a real Ceph gateway, from SQL to the bucket. What is in the bucket is always asked of Ceph,
# not of the code under test.
use strict;
use warnings;
use utf8;

use Digest::MD5 qw(md5_hex);
use Encode qw(decode_utf8 encode_utf8);
use HTTP::Tiny;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Ceph;
use Audiostore::FaultProxy;
use Audiostore::Node;

my $ceph = Audiostore::Ceph->start or plan skip_all => 'Ceph is not installed';
$ceph->make_bucket('media');
$ceph->make_bucket('archive');
my $proxy = Audiostore::FaultProxy->start($ceph->endpoint);

# The worker rests until the last part, so that each step runs when the test says so.
my $node = Audiostore::Node->new('s3', settings => { 'audiostore.enabled' => 'off' });
my %patient = (max_attempts => 1000, max_retry_delay => '200ms', request_timeout => '3s');
$node->s3_store('media', $ceph, bucket => 'media', endpoint => $proxy->url, prefix => 'live/', %patient);
$node->s3_store('archive', $ceph, bucket => 'archive', %patient);

sub sql { my ($query) = @_; return $node->safe_psql('postgres', encode_utf8($query)); }

# The keys of the store media, as Ceph has them: sorted by bytes, without the store's prefix, as characters.
sub stored { return map { decode_utf8(s{^live/}{}r) } $ceph->keys('media', 'live/'); }

sub in_bytes { return sort { encode_utf8($a) cmp encode_utf8($b) } @_; }
sub quoted { my ($text) = @_; return "'" . ($text =~ s/'/''/gr) . "'"; }

sub posts_of_deletes { return scalar grep { $_->{method} eq 'POST' && $_->{target} =~ /[?&]delete/ } $proxy->requests; }

sub http { my ($method, $url, $options) = @_; return HTTP::Tiny->new->request($method, $url, $options // {}); }

subtest 'put, get, head, list' => sub {
    sql(q{BEGIN; SELECT audiostore.put_object('media', 'rolled/back.wav', 'x'); ROLLBACK});
    sql(q{SELECT audiostore.put_object('media', 'speech/one.wav', convert_to(repeat('0123456789', 1000), 'UTF8'),
        'audio/wav', '{"speaker": "anna", "take": "7"}')});
    is_deeply([stored()], [], 'nothing is sent before the queue is run');
    is(sql(q{SELECT length(audiostore.get_object('media', 'speech/one.wav'))}), '10000', 'a queued put can be read');
    ok($node->run_until_drained, 'run');
    is_deeply([stored()], ['speech/one.wav'], 'the object is there, the rolled back one is not');
    is(sql(q{SELECT size, etag, content_type, storage_class, metadata->>'speaker', metadata->>'take',
            last_modified BETWEEN now() - interval '5 min' AND now() + interval '5 min'
            FROM audiostore.head_object('media', 'speech/one.wav')}),
        '10000|' . md5_hex('0123456789' x 1000) . '|audio/wav|STANDARD|anna|7|t', 'head tells all');
    is(sql(q{SELECT md5(audiostore.get_object('media', 'speech/one.wav'))}), md5_hex('0123456789' x 1000), 'whole');
    is(sql(q{SELECT convert_from(audiostore.get_object('media', 'speech/one.wav', 9995), 'UTF8')}), '56789', 'tail');
    is(sql(q{SELECT convert_from(audiostore.get_object('media', 'speech/one.wav', 12, 5), 'UTF8')}), '23456', 'range');
    is(sql(q{SELECT key, size FROM audiostore.list_objects('media', 'speech/')}), 'speech/one.wav|10000', 'list');
    is(sql(q{SELECT size IS NULL FROM audiostore.head_object('media', 'no such')}), 't', 'head of an absent key');
    my ($status, undef, $error) = $node->psql('postgres', q{\set VERBOSITY verbose
        SELECT audiostore.get_object('media', 'no such')});
    like($error, qr/ERROR: .*no such/, 'get of an absent key is an error that names it');
    unlike($error, qr/tester-secret/, 'and no secret');
};

subtest 'objects follow the rows' => sub {
    sql(q{CREATE TABLE tracks (id int PRIMARY KEY, path text, status text DEFAULT 'new');
        SELECT audiostore.track('tracks', 'path', store => 'media', live_when => $$status <> 'deleted'$$)});
    sql(q{INSERT INTO tracks SELECT i, 'track/' || i FROM generate_series(1, 6) i;
        SELECT audiostore.put_object('media', path, convert_to(path, 'UTF8')) FROM tracks});
    $node->run_until_drained;
    is(scalar(grep { m{^track/} } stored()), 6, 'six objects');
    sql(q{DELETE FROM tracks WHERE id = 1; UPDATE tracks SET status = 'deleted' WHERE id = 2;
        UPDATE tracks SET path = 'track/3b' WHERE id = 3;
        BEGIN; DELETE FROM tracks WHERE id = 4; ROLLBACK});
    $node->run_until_drained;
    is_deeply([grep { m{^track/} } stored()], [qw(track/4 track/5 track/6)],
        'deleted, no longer live and renamed rows let go; a rolled back DELETE does not');
    sql('DROP TABLE tracks');
    $node->run_until_drained;
    is_deeply([grep { m{^track/} } stored()], [], 'DROP TABLE empties the rest');
};

subtest 'deletes travel in batches' => sub {
    my @keys = map { sprintf 'batch/%04d', $_ } 1 .. 2500;
    sql(q{CREATE TABLE batch (path text); SELECT audiostore.track('batch', 'path', store => 'media');
        INSERT INTO batch SELECT format('batch/%s', lpad(i::text, 4, '0')) FROM generate_series(1, 2500) i;
        SELECT count(audiostore.put_object('media', path, 'x')) FROM batch});
    $node->run_until_drained(300);
    is_deeply([grep { m{^batch/} } stored()], \@keys, '2,500 objects, in more than one page of the listing');
    is(sql(q{SELECT count(*), min(key), max(key) FROM audiostore.list_objects('media', 'batch/')}),
        '2500|batch/0001|batch/2500', 'list_objects pages');
    # A gateway that is busy may take its time: what is counted is not to be repeats.
    sql(q{ALTER SERVER media OPTIONS (SET request_timeout '60s')});
    my $before = posts_of_deletes();
    sql('DELETE FROM batch');
    $node->run_until_drained(300);
    sql(q{ALTER SERVER media OPTIONS (SET request_timeout '3s')});
    is_deeply([grep { m{^batch/} } stored()], [], 'all gone');
    cmp_ok(posts_of_deletes() - $before, '<=', 4, 'in a handful of requests');
};

subtest 'keys of every kind' => sub {
    my @keys = in_bytes(
        'plain', 'with space', 'a+b', 'a%20b', '100%', 'a//b', 'a/./b', 'a/../b', 'ends/', "quo'te", 'dou"ble', 'a&b<c>d',
        'q?x=1#f', 'ünïcödé', 'Ünïcödé', '日本語/音声.wav', "\x{1F3B5}/\x{1F399}.flac", "tab\there", "new\nline", 'back\\slash',
        'tilde~', '!*()', ';:@&=$,', '[x]{y}|^`', "e\x{301}", 'Case', 'case', 'x' x 1000);
    sql(q{CREATE TABLE odd (path text); SELECT audiostore.track('odd', 'path', store => 'media')});
    foreach my $key (@keys) {
        my $literal = quoted($key);
        sql("INSERT INTO odd VALUES ('odd/' || $literal);
            SELECT audiostore.put_object('media', 'odd/' || $literal, convert_to($literal, 'UTF8'))");
    }
    $node->run_until_drained;
    is_deeply([stored_under('odd/')], \@keys, 'arrive as they are');
    is(sql(q{SELECT count(*) FROM odd WHERE 'odd/' || convert_from(audiostore.get_object('media', path), 'UTF8') <> path}),
        '0', 'come back as they are');
    is(sql(q{SELECT (SELECT array_agg(key ORDER BY n) FROM audiostore.list_objects('media', 'odd/') WITH ORDINALITY
            AS l(key, size, etag, last_modified, storage_class, n))
        = (SELECT array_agg(path ORDER BY path COLLATE "C") FROM odd)}), 't', 'are listed in the order of their bytes');
    my @urls = split /\n/, sql(q{SELECT audiostore.signed_url('media', path) FROM odd ORDER BY path COLLATE "C"});
    is_deeply([map { decode_utf8(http('GET', $_)->{content}) } @urls], \@keys, 'have signed URLs that work');
    sql('DELETE FROM odd');
    $node->run_until_drained;
    is_deeply([stored_under('odd/')], [], 'and can be deleted');
};

sub stored_under { my ($prefix) = @_; return map { s/^\Q$prefix\E//r } grep { /^\Q$prefix\E/ } stored(); }

subtest 'large objects go in parts' => sub {
    sql(q{CREATE TABLE large AS SELECT decode(string_agg(md5(i::text), ''), 'hex') AS data
        FROM generate_series(1, 1300000) i});
    sql(q{SELECT audiostore.put_object('media', 'large.wav', data, 'audio/wav', '{"parts": "yes"}') FROM large});
    $node->run_until_drained(300);
    my ($object) = grep { $_->{key} eq 'live/large.wav' } $ceph->objects('media');
    is($object->{size}, 20_800_000, 'its size');
    like($object->{etag}, qr/-[0-9]+/, 'made of parts');
    is(sql(q{SELECT md5(audiostore.get_object('media', 'large.wav')) = md5(data) FROM large}), 't', 'its bytes');
    is(sql(q{SELECT content_type, metadata->>'parts' FROM audiostore.head_object('media', 'large.wav')}), 'audio/wav|yes',
        'its description');
    is(sql(q{SELECT audiostore.get_object('media', 'large.wav', 8388600, 20) = substr(data, 8388601, 20) FROM large}),
        't', 'a range across the border of two parts');

    # The third request fails for good: not an answer that says "later".
    sql(q{ALTER SERVER media OPTIONS (SET max_attempts '1')});
    $proxy->faults(methods => 'PUT', error => 1);
    sql(q{SELECT audiostore.put_object('media', 'failed.wav', data) FROM large; CALL audiostore.run('outbox')});
    $proxy->faults;
    is_deeply([$ceph->unfinished_uploads('media')], [], 'a failed upload is aborted');
    is_deeply([grep { $_ eq 'failed.wav' } stored()], [], 'and leaves no object');
    is(sql(q{SELECT count(*), bool_and(last_error <> '') FROM audiostore.dead_operations}), '1|t',
        'the operation is dead, with its error');
    sql(q{ALTER SERVER media OPTIONS (SET max_attempts '1000');
        SELECT audiostore.retry_operation(id) FROM audiostore.dead_operations});
    $node->run_until_drained(300);
    is(scalar(grep { $_ eq 'failed.wav' } stored()), 1, 'once it works again, retry_operation() does it');
    sql(q{SELECT audiostore.delete_object('media', 'failed.wav')});
};

subtest 'copy, move, storage class' => sub {
    sql(q{SELECT audiostore.put_object('media', 'a', 'aaa', 'audio/flac', '{"who": "me"}');
        SELECT audiostore.copy_object('media', 'a', 'archive', 'copy of a');
        SELECT audiostore.move_object('media', 'a', 'media', 'moved')});
    $node->run_until_drained;
    is_deeply([grep { /^(a|moved)$/ } stored()], ['moved'], 'put, copy and move took effect in this order');
    is_deeply([$ceph->keys('archive')], ['copy of a'], 'into the other bucket');
    is(sql(q{SELECT size, content_type, metadata->>'who' FROM audiostore.head_object('archive', 'copy of a')}),
        '3|audio/flac|me', 'a copy keeps its description');
    sql(q{SELECT audiostore.set_storage_class('archive', 'copy of a', 'STANDARD_IA')});
    $node->run_until_drained;
    is_deeply([map { "$_->{key} $_->{storage_class}" } $ceph->objects('archive')], ['copy of a STANDARD_IA'], 'its class');
    is(sql(q{SELECT storage_class, content_type, metadata->>'who' FROM audiostore.head_object('archive', 'copy of a')}),
        'STANDARD_IA|audio/flac|me', 'and nothing else changed');
};

subtest 'signed URLs' => sub {
    sql(q{SELECT audiostore.put_object('media', 'signed/x y.txt', 'hello', 'text/plain')});
    $node->run_until_drained;
    my $url = sub { my ($arguments) = @_; return sql("SELECT audiostore.signed_url('media', 'signed/x y.txt'$arguments)"); };
    is(http('GET', $url->(''))->{content}, 'hello', 'GET');
    is(run_curl($url->('')), 'hello', 'with curl as well');
    is(http('GET', $url->('') =~ s/txt/wav/r)->{status}, 403, 'for another key it is refused');
    is(http('GET', $url->(q{, at => now() - interval '2 hours'}))->{status}, 403, 'when expired, too');
    my $reply = http('GET', $url->(q{, query => '{"response-content-disposition": "attachment; filename=\"x y\""}'}));
    is($reply->{headers}{'content-disposition'}, 'attachment; filename="x y"', 'query parameters are signed along');
    is(http('PUT', $url->(q{, 'PUT'}), { content => 'new' })->{status}, 200, 'PUT');
    is(sql(q{SELECT convert_from(audiostore.get_object('media', 'signed/x y.txt'), 'UTF8')}), 'new', 'what was put');
    is(http('PUT', $url->(''), { content => 'no' })->{status}, 403, 'a URL for GET does not PUT');
    is(http('DELETE', $url->(q{, 'DELETE'}))->{status}, 204, 'DELETE');
    is_deeply([stored_under('signed/')], [], 'gone');
};

sub run_curl {
    my ($url) = @_;
    my ($out, $err) = run_command([ 'curl', '-sSf', $url ]);
    return $out;
}

subtest 'the bucket as a table' => sub {
    sql(q{CREATE FOREIGN TABLE bucket (key text, size bigint, storage_class text) SERVER media});
    is(sql(q{SELECT key, size FROM bucket WHERE key LIKE 'mov%'}), 'moved|3', 'a condition on the key');
    is(sql('SELECT count(*) FROM bucket'), scalar(stored()), 'all of it');
    is(sql(q{SELECT count(*) FILTER (WHERE NOT ok) FROM audiostore.verify_store('media')}), '0', 'verify_store finds no fault');
};

subtest 'wrong credentials pause the store' => sub {
    sql(q{ALTER USER MAPPING FOR PUBLIC SERVER archive OPTIONS (SET secret_access_key 'wrong');
        SELECT audiostore.delete_object('archive', 'copy of a')});
    sql(q{CALL audiostore.run('outbox')}) for 1 .. 3;
    is(sql(q{SELECT state, attempts <= 3 FROM audiostore.operations}), 'pending|t', 'the operation waits');
    is(sql(q{SELECT count(*) FROM audiostore.alerts WHERE subject = 'archive' AND cleared_at IS NULL}), '1', 'an alert says so');
    is(sql(q{SELECT count(*) FROM audiostore.verify_store('archive') WHERE NOT ok} ) > 0, 1, 'verify_store says what is wrong');
    sql(q{ALTER USER MAPPING FOR PUBLIC SERVER archive OPTIONS (SET secret_access_key 'tester-secret')});
    ok($node->run_until_drained, 'with the right ones it goes on');
    is_deeply([$ceph->keys('archive')], [], 'and is done');
    is(sql(q{SELECT count(*) FROM audiostore.alerts WHERE subject = 'archive' AND cleared_at IS NULL}), '0', 'the alert is cleared');
};

# Everything goes wrong now and then, and in the end the bucket holds what the rows say: no less and no more.
subtest 'a faulty network' => sub {
    my $seed = $ENV{AUDIOSTORE_TEST_SEED} // int(rand(1 << 30));
    note "seed $seed (AUDIOSTORE_TEST_SEED)";
    sql(q{ALTER SYSTEM SET audiostore.enabled = on});
    $node->reload;
    $proxy->faults(
        seed => $seed, slowdown => 0.1, error => 0.05, reset => 0.1, hang => 0.01, lost_reply => 0.1, truncate => 0.05,
        broken => 0.05, delay => 0.2, delay_ms => 50, key_error => 0.2);
    sql(q{CREATE TABLE songs (id int PRIMARY KEY, path text UNIQUE);
        SELECT audiostore.track('songs', 'path', store => 'media')});
    for my $round (0 .. 9) {
        sql(qq{BEGIN;
            INSERT INTO songs SELECT i, 'song/' || i FROM generate_series($round * 30 + 1, $round * 30 + 30) i;
            SELECT count(audiostore.put_object('media', path, convert_to(path, 'UTF8'))) FROM songs WHERE id > $round * 30;
            COMMIT});
        # Rows whose objects may be on their way right now.
        sql(qq{DELETE FROM songs WHERE id % 3 = 0 AND id > $round * 30});
        sql(qq{BEGIN; DELETE FROM songs WHERE id % 3 = 1; ROLLBACK});
    }
    ok($node->wait_until_drained(300), 'the queue is empty in the end');
    $proxy->faults;
    is(sql(q{SELECT array_to_string(array_agg(path ORDER BY path COLLATE "C"), ' ') FROM songs}),
        join(' ', map { "song/$_" } stored_under('song/')), 'the bucket holds the rows\' objects and nothing else');
    is(sql(q{SELECT count(*) FROM songs WHERE convert_from(audiostore.get_object('media', path), 'UTF8') <> path}), '0',
        'with their bytes');
    sql('TRUNCATE songs');
    ok($node->wait_until_drained(300), 'TRUNCATE');
    is_deeply([stored_under('song/')], [], 'empties the bucket');
    is(sql('SELECT count(*) FROM audiostore.dead_operations'), '0', 'nothing was given up');
    my $counts = $proxy->counts;
    note join ', ', map { "$_: $counts->{$_}" } sort keys %$counts;
    cmp_ok($counts->{$_} // 0, '>', 0, "there were faults of the kind $_") for qw(slowdown reset lost_reply key_error);
};

$node->stop;
# The statements of this test have it in them; what the library and its worker say must not.
is_deeply([grep { /tester-secret/ && !/LOG:  statement|STATEMENT/ } split /\n/, slurp_file($node->logfile)], [],
    'no secret in the log');
done_testing();
