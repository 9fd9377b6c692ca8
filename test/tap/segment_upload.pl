# Audio that a client PUTs to a signed URL of a real gateway: confirmed, it stays; not confirmed, or confirmed twice over
# for the same content, nothing is left behind.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use HTTP::Tiny;
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Ceph;
use Audiostore::Node;

my $ceph = Audiostore::Ceph->start or plan skip_all => 'Ceph is not installed';
$ceph->make_bucket('media');
my $node = Audiostore::Node->new('segment_upload', settings => {
    'audiostore.enabled' => 'off', 'audiostore.default_store' => 'media'});
$node->s3_store('media', $ceph, bucket => 'media');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub stored { return [$ceph->keys('media')]; }

sub request_upload {
    my ($segment) = @_;
    return decode_json(sql("SELECT to_json(u) FROM audiostore.request_segment_upload('$segment') u"));
}

sub upload {
    my ($to, $audio, %headers) = @_;
    %headers = %{$to->{headers}} unless %headers;
    return HTTP::Tiny->new->request('PUT', $to->{upload_url}, {headers => \%headers, content => $audio})->{status};
}

# As if the time of deletes had come.
sub let_time_pass {
    sql("UPDATE audiostore.operations SET not_before = clock_timestamp() WHERE kind = 'delete'");
    $node->run_until_drained;
    return;
}

sql('INSERT INTO audiostore.segments (title) SELECT n::text FROM generate_series(1, 4) n');
my @segments = split /\n/, sql('SELECT id FROM audiostore.segments ORDER BY title');
my $audio = 'a large file';

my $first = request_upload($segments[0]);
is(upload($first, $audio, 'Content-Type' => 'text/html'), 403, 'a client must send the headers that it was given');
is(upload($first, $audio), 200, 'a client uploads');
is_deeply(stored(), [$first->{key}], 'the object is there');
my $asset = sql("SELECT audiostore.confirm_segment_upload('$segments[0]', '$first->{key}', '" . sha256_hex($audio) . "')");
is($asset, $first->{asset_id}, 'confirmed');
is(sql("SELECT audiostore.get_object('media', storage_path) = '$audio' FROM audiostore.assets WHERE id = '$asset'"), 't', 'its asset has it');

my $second = request_upload($segments[1]);
upload($second, $audio);
is(sql("SELECT audiostore.confirm_segment_upload('$segments[1]', '$second->{key}', '" . sha256_hex($audio) . "')"), $asset,
    'the same content is the same asset');
my $third = request_upload($segments[2]);
upload($third, 'nobody confirms this');
my $fourth = request_upload($segments[3]);
is(scalar @{stored()}, 3, 'three objects are in the bucket');
let_time_pass();
is_deeply(stored(), [$first->{key}], 'in the end only what is confirmed and used');
my (undef, undef, $error) = $node->psql('postgres',
    "UPDATE audiostore.assets SET upload_expires_at = now() WHERE state = 'uploading';
     SELECT audiostore.confirm_segment_upload('$segments[2]', '$third->{key}')");
like($error, qr/the upload of key "\Q$third->{key}\E" has expired/, 'too late');
sql("DELETE FROM audiostore.assets WHERE id = '$asset'");
let_time_pass();
is_deeply(stored(), [], 'and nothing once the asset is deleted');

$node->stop;
done_testing();
