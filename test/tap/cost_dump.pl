# Prices, samples and rules in a dump: what was edited comes back, over what a new extension brings along.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Node;

my $node = Audiostore::Node->new('cost_dump', preload => 0);
sub sql { my ($query, $database) = @_; return $node->safe_psql($database // 'postgres', $query); }
sql(q{UPDATE audiostore.storage_prices SET price_per_gb_month = 0.019 WHERE provider = 's3' AND storage_class = 'STANDARD';
    INSERT INTO audiostore.storage_prices (provider, price_per_gb_month, source) VALUES ('local', 0.03, 'our disks');
    INSERT INTO audiostore.storage_prices (provider, storage_class, price_per_gb_month) VALUES ('s3', 'OURS', 0.001), ('s3', 'GLACIER', 0.5);
    INSERT INTO audiostore.storage_samples (store, storage_class, sampled_at, objects, bytes, billable_bytes) VALUES ('s', 'STANDARD', '2026-01-01', 1, 2, 2);
    SELECT audiostore.add_alert('full', 'store_bytes', above => 1000)});

my $file = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $file, '-d', $node->connstr('postgres') ], 'dumped');
sql('CREATE DATABASE copy TEMPLATE template0');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr('copy') ], 'restored without an error');
foreach my $query (
    'SELECT provider, storage_class, store, price_per_gb_month, source, built_in FROM audiostore.storage_prices ORDER BY 1, 2, 3',
    'SELECT store, storage_class, sampled_at, objects, bytes FROM audiostore.storage_samples',
    'SELECT name, metric, above FROM audiostore.alert_rules') {
    is(sql($query, 'copy'), sql($query), $query);
}
$node->stop;
done_testing();
