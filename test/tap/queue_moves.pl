# Rows of the queue that are elsewhere when their operations are done: VACUUM FULL moved them while the store was asked.
use strict;
use warnings;

use File::Temp ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::HttpServer;
use Audiostore::Workers;

my $gates = File::Temp->newdir('gates-XXXXXX', TMPDIR => 1);
my $server = Audiostore::HttpServer->start(
    sub {
        my ($request) = @_;
        sleep 0.01 until -e "$gates/open";
        return [200, {}, '<DeleteResult/>'] if $request->{method} eq 'POST';
        return [200, {}, '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'];
    });
my $node = new_server('main');
$node->start;
my $url = $server->url;
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION audiostore;
CREATE SERVER media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bucket', region 'r', addressing 'path',
    endpoint '$url', request_timeout '10min');
CREATE USER MAPPING FOR PUBLIC SERVER media OPTIONS (access_key_id 'k', secret_access_key 's');
CREATE TABLE takes (id integer PRIMARY KEY, key text);
SELECT audiostore.track('takes', 'key', store => 'media');
INSERT INTO takes SELECT i, 'take' || i FROM generate_series(1, 1500) i;
SQL
wait_for_worker($node, 'postgres');

# Dead rows before the others, so that these move.
$node->safe_psql('postgres', "BEGIN; DELETE FROM takes WHERE id > 1000; ROLLBACK; DELETE FROM takes WHERE id <= 500");
ok($node->poll_query_until('postgres', "SELECT count(*) = 500 FROM audiostore.operations WHERE state = 'running'"),
    'all deletes are claimed');
my $before = $node->safe_psql('postgres', 'SELECT min(ctid) FROM audiostore.operation_rows');
$node->safe_psql('postgres', 'VACUUM FULL audiostore.operation_rows');
isnt($node->safe_psql('postgres', 'SELECT min(ctid) FROM audiostore.operation_rows'), $before, 'their rows are elsewhere');

open my $gate, '>', "$gates/open" or die "open: $!";
close $gate;
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM audiostore.operations'), 'all of them are settled');
is(scalar(grep { $_->{method} eq 'POST' } $server->requests), 1, 'by the one request that they were sent with');

$node->safe_psql('postgres', 'DELETE FROM takes');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM audiostore.operations'), 'and the next ones');
is(log_count($node, qr/ERROR/), 0, 'without an error');
$node->stop('fast');

done_testing();
