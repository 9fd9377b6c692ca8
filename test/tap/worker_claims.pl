# A store that never answers: the worker waits for it without a transaction, and gives its claims back when it is asked
# to end, by whatever way.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::HttpServer;
use Audiostore::Workers;

my $server = Audiostore::HttpServer->start(sub { return 'hang'; });
my $node = new_server('main');
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('one', 'CREATE EXTENSION audiostore');
my $url = $server->url;
$node->safe_psql('one', <<"SQL");
CREATE SERVER media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bucket', region 'r', addressing 'path',
    endpoint '$url', request_timeout '10min');
CREATE USER MAPPING FOR PUBLIC SERVER media OPTIONS (access_key_id 'k', secret_access_key 's');
SQL
my $pid = wait_for_worker($node, 'one');

# Until all three operations are claimed, of which two are on the wire.
sub wait_for_claims {
    $node->poll_query_until('one', "SELECT count(*) = 3 FROM audiostore.operations WHERE state = 'running'")
      or die 'nothing was claimed';
    return;
}

sub unclaimed {
    return $node->safe_psql('one',
        "SELECT count(*) FROM audiostore.operations WHERE state = 'pending' AND leased_until IS NULL AND claimed_by IS NULL");
}

sub enable {
    my ($on) = @_;
    $node->append_conf('postgresql.conf', "audiostore.enabled = $on");
    return;
}

$node->safe_psql('one', "SELECT audiostore.delete_object('media', 'song' || i) FROM generate_series(1, 2) i;
    SELECT audiostore.put_object('media', 'song3', 'x')");
wait_for_claims();
ok(
    $node->poll_query_until('postgres', "SELECT state = 'active' AND xact_start IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $pid"),
    'the worker waits for the store without a transaction');
is(worker_pid($node, 'one'), $pid, 'it is still the first one');

enable('off');
$node->reload;
wait_for_no_worker($node, 'one');
is(unclaimed(), '3', 'all claims are given back when workers are disabled');
enable('on');
$node->reload;
wait_for_claims();

$pid = worker_pid($node, 'one');
$node->safe_psql('postgres', "ALTER SYSTEM SET audiostore.databases = 'nowhere'; SELECT pg_reload_conf(); SELECT pg_terminate_backend($pid)");
wait_for_no_worker($node, 'one');
is(unclaimed(), '3', 'and when the worker is terminated');
$node->safe_psql('postgres', "ALTER SYSTEM RESET audiostore.databases");
$node->reload;
wait_for_claims();

enable('off');
$node->stop('fast');
$node->start;
is(unclaimed(), '3', 'and when the server is shut down');
enable('on');
$node->reload;
wait_for_claims();

$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE one');
pass('a busy worker makes room for CREATE DATABASE');
wait_for_claims();
$node->safe_psql('one', 'DROP EXTENSION audiostore CASCADE');
wait_for_no_worker($node, 'one');
pass('and does not hold up DROP EXTENSION');
$node->safe_psql('postgres', 'DROP DATABASE one');
is(log_count($node, qr/could not give back/), 0, 'no claim was left to its lease');
is(log_count($node, qr/"audiostore worker[^\n]*exit code/), 0, 'no worker ended by an error');
$node->stop('fast');

done_testing();
