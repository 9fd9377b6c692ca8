# Prices, samples, rules and quotas in a dump: what was edited comes back, over what a new extension brings along. Alerts are
# raised anew, whatever a worker has written while the database was being restored.
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
    SELECT audiostore.add_alert('full', 'store_bytes', above => 1000), audiostore.add_alert('given up', 'dead_operations', above => 0)});
$node->local_store('media');
my $workspace = '11111111-1111-1111-1111-111111111111';
sql(qq{INSERT INTO audiostore.workspaces (id, name) VALUES ('$workspace', 'w');
    INSERT INTO audiostore.storage_quotas (workspace_id, max_storage_bytes) VALUES ('$workspace', 1000);
    SELECT audiostore.initiate_chunked_upload('a', 300, 100, 'media', workspace_id => '$workspace'),
        audiostore.initiate_chunked_upload('b', 400, 100, 'media', workspace_id => '$workspace');
    SELECT audiostore.put_object('media', 'k', 'x'), audiostore.put_object('media', 'l', 'x');
    UPDATE audiostore.operation_rows SET state = 'dead', not_before = 'infinity', attempts = 9, last_error = 'no';
    SELECT audiostore.evaluate_alerts()});
my $alerts = 'SELECT name, subject, times FROM audiostore.alerts WHERE cleared_at IS NULL ORDER BY 1, 2';
is(sql($alerts), "dead_operation|media|1\ngiven up|media|1", 'alerts');

my $dir = PostgreSQL::Test::Utils::tempdir();
sql('CREATE DATABASE copy TEMPLATE template0');
foreach my $section (qw(pre-data data post-data)) {
    $node->command_ok([ 'pg_dump', '--section', $section, '-f', "$dir/$section.sql", '-d', $node->connstr('postgres') ], "dumped: $section");
    $node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/$section.sql", '-d', $node->connstr('copy') ], 'restored without an error');
    # The worker of the new database has found something already.
    sql(q{INSERT INTO audiostore.alerts (name, subject, message) VALUES ('given up', 'media', 'early'), ('store_paused', 'media', 'early');
        INSERT INTO audiostore.alert_states VALUES ('given up', 'media', 1, now(), now(), true)}, 'copy') if $section eq 'pre-data';
}
foreach my $query (
    'SELECT provider, storage_class, store, price_per_gb_month, source, built_in FROM audiostore.storage_prices ORDER BY 1, 2, 3',
    'SELECT store, storage_class, sampled_at, objects, bytes FROM audiostore.storage_samples',
    'SELECT name, metric, above FROM audiostore.alert_rules ORDER BY 1',
    'SELECT workspace_id, max_storage_bytes, reserved_bytes, reserved_files FROM audiostore.storage_quotas') {
    is(sql($query, 'copy'), sql($query), $query);
}
is(sql('SELECT reserved_bytes, reserved_files FROM audiostore.storage_quotas', 'copy'), '700|2', 'uploads under way reserve what they did');
sql('SELECT audiostore.evaluate_alerts() FROM generate_series(1, 2)', 'copy');
is(sql($alerts, 'copy'), "dead_operation|media|1\ngiven up|media|1\nstore_paused|media|1", 'what still holds is raised, once');
is(sql(q{SELECT subject, message FROM audiostore.alerts WHERE name = 'dead_operation'}, 'copy'), 'media|operations of store "media" were given up: no',
    'operations that were given up before the dump included');
$node->stop;
done_testing();
