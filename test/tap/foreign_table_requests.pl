# What a foreign table and verify_store ask of a store: prefix and start from the query's conditions, no more pages than
# are wanted, and the probe's removal whatever happens.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::HttpServer;
use Audiostore::Node;

sub unescape { my ($text) = @_; $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge; return $text; }

sub query_of {
    my ($target) = @_;
    my ($query) = $target =~ /\?(.*)/s;
    return map { my ($name, $value) = split /=/, $_, 2; $name => unescape($value // '') } split /&/, $query // '';
}

# ListObjectsV2 over raw/00000 to raw/02499.
sub list {
    my (%query) = @_;
    my $after = $query{'continuation-token'} // $query{'start-after'} // '';
    my @keys = grep { $_ gt $after && index($_, $query{prefix} // '') == 0 } map { sprintf 'raw/%05d', $_ } 0 .. 2499;
    my $most = $query{'max-keys'} // 1000;
    my $truncated = @keys > $most;
    splice @keys, $most if $truncated;
    my $contents = join '', map {
        "<Contents><Key>$_</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
          . '<Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>'
    } @keys;
    my $next = $truncated ? "<NextContinuationToken>$keys[-1]</NextContinuationToken>" : '';
    return [
        200, { 'Content-Type' => 'application/xml' },
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
          . '<Name>bucket</Name><IsTruncated>' . ($truncated ? 'true' : 'false') . "</IsTruncated>$next$contents"
          . '</ListBucketResult>'
    ];
}

my $server = Audiostore::HttpServer->start(sub {
    my ($request) = @_;
    my %query = query_of($request->{target});
    if ($request->{method} eq 'GET' && exists $query{'list-type'}) {
        return [403, {}, '<Error><Code>AccessDenied</Code><Message>no</Message></Error>'] if ($query{prefix} // '') eq 'secret/';
        return list(%query);
    }
    return [200, { ETag => '"e"' }, ''] if $request->{method} eq 'PUT';
    return [200, {}, '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></DeleteResult>'] if $request->{method} eq 'POST';
    return 'hang';
});
my $node = Audiostore::Node->new('requests', preload => 0);
my $url = $server->url;
$node->safe_psql('postgres', <<"SQL");
CREATE SERVER media FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'bucket', region 'us-east-1', endpoint '$url', addressing 'path');
CREATE USER MAPPING FOR PUBLIC SERVER media OPTIONS (access_key_id 'AKIAEXAMPLE', secret_access_key 'hush-hush');
IMPORT FOREIGN SCHEMA "raw/" FROM SERVER media INTO public;
IMPORT FOREIGN SCHEMA "secret/" FROM SERVER media INTO public;
SQL

# The result, and the queries of the list requests that it took.
my $seen = 0;
sub ask {
    my ($sql) = @_;
    my $result = $node->safe_psql('postgres', $sql);
    my @requests = $server->requests;
    my @new = map { +{ query_of($_->{target}) } } @requests[$seen .. $#requests];
    $seen = @requests;
    return ($result, @new);
}

my ($result, @requests) = ask('SELECT count(*), sum(size), max(key) FROM raw');
is($result, '2500|17500|raw/02499', 'a scan reads all pages');
is(scalar @requests, 3, 'of a thousand keys each');
is($requests[0]{prefix}, 'raw/', "the table's prefix goes to the store");

($result, @requests) = ask("SELECT count(*) FROM raw WHERE key LIKE 'raw/0001%'");
is($result, '10', 'a prefix condition');
is(join(' ', map { $_->{prefix} } @requests), 'raw/0001', 'becomes the prefix of the one request');

($result, @requests) = ask("SELECT count(*), min(key) FROM raw WHERE key >= 'raw/01200' AND key < 'raw/01300'");
is($result, '100|raw/01200', 'a range of keys');
is(scalar @requests, 1, 'takes one request');
is($requests[0]{'start-after'}, 'raw/0120', 'that begins shortly before it');

($result, @requests) = ask('SELECT key FROM raw ORDER BY key LIMIT 3');
is($result, "raw/00000\nraw/00001\nraw/00002", 'the first rows');
is(join(' ', map { $_->{'max-keys'} } @requests), '3', 'take one request for as many keys');

($result, @requests) = ask("SELECT count(*) FROM raw WHERE key = 'raw/00007'");
is("$result " . scalar @requests, '1 1', 'one key takes one request');
($result, @requests) = ask("SELECT count(*) FROM raw WHERE key = 'elsewhere'");
is("$result " . scalar @requests, '0 0', 'a key outside of the prefix takes none');

# Several scans at once, each with its own pages.
($result, @requests) = ask('SELECT count(*) FROM raw a JOIN raw b USING (key)');
is($result, '2500', 'a table joined with itself');

my ($code, $output, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT * FROM secret");
like($error, qr/ERROR:  42501: .*"?media"?/s, 'a refusal is an error of missing rights that names the store');
unlike($error, qr/hush/, 'and no secret');

# verify_store is cancelled while it waits for its HEAD.
ask('SELECT 1');
($code, $output, $error) =
  $node->psql('postgres', "SET statement_timeout = '1s'; SELECT * FROM audiostore.verify_store('media')");
like($error, qr/canceling statement due to statement timeout/, 'verify_store is cancelled');
my @after = $server->requests;
my ($put) = map { $_->{target} =~ m{(\.audiostore-verify/[0-9a-f]+)} } grep { $_->{method} eq 'PUT' } @after;
ok($put, 'it had put its probe');
is($after[-1]{method}, 'POST', 'and removes it still');

unlike(slurp_file($node->logfile), qr/(?<!secret_access_key ')hush-hush/, 'no secret in the log');
$node->stop;
done_testing();
