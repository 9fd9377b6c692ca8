# Temporary objects in a real bucket: a client uploads to the URL of a lease, before its end and after it; promotions from
# bucket to bucket, and from a directory into a bucket, over a network that fails now and then. What is in the buckets is
# asked of Ceph itself.
use strict;
use warnings;
use utf8;

use Digest::MD5 qw(md5_hex);
use Encode qw(decode_utf8 encode_utf8);
use HTTP::Tiny;
use Test::More;

use Audiostore::Ceph;
use Audiostore::FaultProxy;
use Audiostore::Node;

my $ceph = Audiostore::Ceph->start or plan skip_all => 'Ceph is not installed';
$ceph->make_bucket($_) for qw(scratch library);
my $proxy = Audiostore::FaultProxy->start($ceph->endpoint);
my $node = Audiostore::Node->new('temporary_s3');
my %patient = (max_attempts => 1000, max_retry_delay => '200ms', request_timeout => '3s');
$node->s3_store('scratch', $ceph, bucket => 'scratch', endpoint => $proxy->url, %patient);
$node->s3_store('library', $ceph, bucket => 'library', endpoint => $proxy->url, prefix => 'novels/', %patient);
$node->local_store('disk');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', encode_utf8($query)); }
sub scratch { return [$ceph->keys('scratch')]; }
sub library { return [map { decode_utf8($_) } $ceph->keys('library')]; }
sub upload { my ($url, $audio) = @_; return HTTP::Tiny->new->request('PUT', $url, {headers => {'Content-Type' => 'audio/wav'}, content => $audio})->{status}; }
sub lease { my ($arguments) = @_; return split /\|/, sql("SELECT key, upload_url FROM audiostore.create_temporary_object('scratch', '.wav'$arguments)"); }

# As if so much time had passed.
sub let_time_pass {
    my ($time) = @_;
    sql("UPDATE audiostore.temporary_objects SET expires_at = expires_at - interval '$time', upload_until = upload_until - interval '$time'");
    return;
}

sub wait_until {
    my ($condition, $what) = @_;
    return ok($node->poll_query_until('postgres', encode_utf8("SELECT $condition")), $what);
}

sql(q{CREATE TABLE paragraphs (id int PRIMARY KEY, audio text, metadata text GENERATED ALWAYS AS (audiostore.sidecar_key(audio)) STORED);
    SELECT audiostore.track('paragraphs', 'audio', store => 'library'), audiostore.track('paragraphs', 'metadata', store => 'library')});

subtest 'a client uploads, and it is promoted' => sub {
    my ($key, $url) = lease('');
    is(upload($url, 'la la la'), 200, 'without credentials');
    is_deeply(scratch(), [$key], 'under its key');
    my $to = decode_utf8(sql(qq{INSERT INTO paragraphs VALUES (1, audiostore.promote_object('scratch', '$key', 'library',
        '{title}/{n}.wav', '{"title": "Số Đỏ / 100%", "n": 1}', '{"voice": "anna"}')) RETURNING audio}));
    is($to, 'Số_Đỏ_100%/1.wav', 'the permanent key');
    is(sql(q{SELECT convert_from(audiostore.get_object('library', audio), 'UTF8') FROM paragraphs}), 'la la la', 'can be read at once');
    wait_until(q{state = 'promoted' FROM audiostore.temporary_objects}, 'the worker moves it');
    $node->wait_until_drained;
    is_deeply(scratch(), [], 'away from here');
    is_deeply(library(), ["novels/Số_Đỏ_100%/1.wav", "novels/Số_Đỏ_100%/1_metadata.json"], 'to there');
    is(sql(q{SELECT (audiostore.head_object('library', audio)).content_type, convert_from(audiostore.get_object('library', metadata), 'UTF8')::jsonb ->> 'voice'
        FROM paragraphs}), 'audio/wav|anna', 'as it was, with its sidecar');
    is(upload($url, 'again'), 200, 'the client uploads again, as its URL still holds');
    is_deeply(scratch(), [$key], 'which nobody wants');
    let_time_pass('3 hours 1 minute');
    wait_until(q{upload_until IS NULL FROM audiostore.temporary_objects}, 'when no URL can hold any longer');
    $node->wait_until_drained;
    is_deeply(scratch(), [], 'it is swept away');
    is(sql(q{SELECT convert_from(audiostore.get_object('library', audio), 'UTF8') FROM paragraphs}), 'la la la', 'and the permanent object is not');
    sql('DELETE FROM paragraphs; DELETE FROM audiostore.temporary_objects');
    $node->wait_until_drained;
    is_deeply(library(), [], 'which goes with its row');
};

subtest 'leases end' => sub {
    my ($key, $url) = lease(q{, '1 second'});
    is(upload($url, 'x'), 200, 'at the last moment');
    wait_until(q{state = 'expired' FROM audiostore.temporary_objects}, 'the lease ends');
    $node->wait_until_drained;
    is_deeply(scratch(), [], 'the object goes');
    my ($released, $its_url) = lease('');
    upload($its_url, 'y');
    is(sql("SELECT audiostore.release_temporary_object('scratch', '$released')"), 't', 'released');
    $node->wait_until_drained;
    is_deeply(scratch(), [], 'it goes at once');
    is(upload($its_url, 'late'), 200, 'somebody uploads after that');
    is_deeply(scratch(), [$released], 'and it is there');
    let_time_pass('3 hours 1 minute');
    wait_until(q{NOT EXISTS (SELECT FROM audiostore.temporary_objects)}, 'in the end the rows go');
    $node->wait_until_drained;
    is_deeply(scratch(), [], 'and what came late');
};

subtest 'a large object' => sub {
    my $key = sql(q{SELECT key FROM audiostore.create_temporary_object('disk', '.wav')});
    sql(qq{SELECT audiostore.put_object('disk', '$key', decode(string_agg(md5(i::text), ''), 'hex')) FROM generate_series(1, 1300000) i});
    sql(qq{INSERT INTO paragraphs VALUES (1, audiostore.promote_object('disk', '$key', 'library', 'large.wav'))});
    wait_until(q{state = 'promoted' FROM audiostore.temporary_objects}, 'goes in parts');
    $node->wait_until_drained;
    is_deeply([map { "$_->{key} $_->{size}" } $ceph->objects('library')], ['novels/large.wav 20800000'], 'and is whole');
    is_deeply([$node->files('disk')], [], 'the source is gone');
    sql('DELETE FROM paragraphs; DELETE FROM audiostore.temporary_objects');
    $node->wait_until_drained;
};

subtest 'a faulty network' => sub {
    my $seed = $ENV{AUDIOSTORE_TEST_SEED} // int(rand(1 << 30));
    note "seed $seed (AUDIOSTORE_TEST_SEED)";
    my %audio = map { ("novels/n/$_.wav" => "audio $_ " x (1 + ($_ % 7) * 2000)) } 1 .. 40;
    foreach my $n (1 .. 40) {
        my $store = $n % 2 ? 'scratch' : 'disk';
        my $text = $audio{"novels/n/$n.wav"};
        sql(qq{WITH made AS (SELECT key FROM audiostore.create_temporary_object('$store', '.wav', purpose => '$n'))
            SELECT audiostore.put_object('$store', key, '$text') FROM made});
    }
    $node->wait_until_drained;
    $proxy->faults(
        seed => $seed, slowdown => 0.1, error => 0.05, reset => 0.1, hang => 0.01, lost_reply => 0.1, truncate => 0.05,
        broken => 0.05, delay => 0.2, delay_ms => 50, key_error => 0.2);
    foreach my $n (1 .. 40) {
        sql(qq{INSERT INTO paragraphs SELECT $n, audiostore.promote_object(store, key, 'library', 'n/{n}.wav', '{"n": $n}',
            '{"n": $n}') FROM audiostore.temporary_objects WHERE purpose = '$n'});
        # A row that goes while its object is on its way.
        sql(qq{DELETE FROM paragraphs WHERE id = $n}) if $n % 5 == 0;
    }
    ok($node->wait_until_drained(300), 'the queue is empty in the end');
    $proxy->faults;
    my @kept = grep { $_ % 5 } 1 .. 40;
    is_deeply(library(), [sort map { ("novels/n/$_.wav", "novels/n/${_}_metadata.json") } @kept], 'each row has its object and its sidecar, and no other is there');
    my %md5 = map { $_->{key} => $_->{etag} =~ tr/"//dr } $ceph->objects('library');
    is_deeply([grep { $md5{"novels/n/$_.wav"} ne md5_hex($audio{"novels/n/$_.wav"}) } @kept], [], 'with its bytes');
    is_deeply([@{scratch()}, $node->files('disk')], [], 'no temporary object is left');
    is(sql(q{SELECT count(*) FROM audiostore.temporary_objects WHERE state = 'promoted'}), '40', 'all are promoted');
};

$node->stop;
done_testing();
