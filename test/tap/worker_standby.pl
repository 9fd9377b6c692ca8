# A standby has no workers until it is promoted.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Workers;

my $primary = new_server('primary', init => { allows_streaming => 1 });
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION audiostore');
wait_for_worker($primary, 'postgres');
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->safe_psql('postgres', 'CREATE DATABASE later TEMPLATE postgres');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'audiostore%'"),
    '0', 'neither launcher nor worker on a standby');
is($standby->safe_psql('postgres', 'SELECT audiostore.worker_state(), audiostore.wake()'), 'none|f', 'and SQL says so');

$standby->promote;
ok(wait_for_worker($standby, 'postgres'), 'a promoted standby has a worker');
ok(wait_for_worker($standby, 'later'), 'in every database');
$standby->stop('fast');
$primary->stop('fast');

done_testing();
