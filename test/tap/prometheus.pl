# docs/prometheus/audiostore_queries.yaml with the real exporter: every metric of metrics() arrives, with its labels and
# its value, for a role that is a member of pg_monitor and nothing else.
use strict;
use warnings;

use File::Basename qw(dirname);
use HTTP::Tiny;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::Node;

my ($exporter) = grep { -x } map { "$_/prometheus-postgres-exporter" } split(/:/, $ENV{PATH}), '/usr/bin';
plan skip_all => 'prometheus-postgres-exporter is not installed' unless $exporter;

my $queries = dirname(__FILE__) . '/../../docs/prometheus/audiostore_queries.yaml';
my $node = Audiostore::Node->new('prometheus');
$node->local_store('media');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# Something of everything: labels that want escaping included.
sql(q{CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
    CREATE TABLE tracks (path text, size bigint);
    SELECT audiostore.track('tracks', 'path', store => 'media', size_column => 'size');
    INSERT INTO tracks SELECT 't/' || n, n FROM generate_series(1, 100) n;
    INSERT INTO audiostore.storage_prices (provider, price_per_gb_month) VALUES ('local', 0.03);
    SELECT audiostore.enqueue_job('with "quotes" and \\', '{}');
    SELECT audiostore.add_expiry_policy('media', 'tmp/', '1 day');
    SELECT audiostore.add_alert('many', 'store_objects', above => 10);
    INSERT INTO audiostore.workspaces (id, name) VALUES ('11111111-1111-1111-1111-111111111111', 'w');
    INSERT INTO audiostore.storage_quotas (workspace_id, max_storage_bytes, current_storage_bytes) VALUES ('11111111-1111-1111-1111-111111111111', 1000, 950)});
sql(q{CALL audiostore.run('accounting')});
$node->wait_until_drained;

my $port = PostgreSQL::Test::Cluster::get_free_port();
local $ENV{DATA_SOURCE_NAME} = 'host=' . $node->host . ' port=' . $node->port . ' user=watcher dbname=postgres sslmode=disable';
my $log = '';
my $process = IPC::Run::start(
    [ $exporter, "--web.listen-address=127.0.0.1:$port", "--extend.query-path=$queries", '--disable-default-metrics', '--disable-settings-metrics' ],
    '<', \'', '>&', \$log);

sub scrape {
    for (1 .. 300) {
        $process->pump_nb;
        my $answer = HTTP::Tiny->new(timeout => 10)->get("http://127.0.0.1:$port/metrics");
        return $answer->{content} if $answer->{success} && $answer->{content} =~ /^audiostore_build_info/m;
        sleep 0.1;
    }
    $process->kill_kill;
    die "the exporter says nothing of us: $log";
}

# name{labels but "server"} => value
sub parse {
    my ($text) = @_;
    my %values;
    foreach my $line (split /\n/, $text) {
        my ($name, $labels, $value) = $line =~ /^(audiostore_\w+)(?:\{(.*)\})? (\S+)$/ or next;
        my @labels;
        while (($labels // '') =~ /(\w+)="((?:[^"\\]|\\.)*)"/g) {
            my ($label, $content) = ($1, $2);
            $content =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
            push @labels, "$label=$content" if $label ne 'server';
        }
        $values{ join '|', $name, sort @labels } = $value;
    }
    return %values;
}

sub wanted {
    return map { my @part = split /\t/; ($part[0] => $part[1]) } split /\n/, sql(q{
        SELECT concat_ws('|', name, (SELECT string_agg(key || '=' || value, '|' ORDER BY key COLLATE "C") FROM jsonb_each_text(labels)))
            || E'\t' || value FROM audiostore.metrics()});
}

# The worker may do something for the first time between the two: what counts is a moment in which they agree.
my (%scraped, %wanted, @missing, @unknown, $text);
for (1 .. 20) {
    %scraped = parse($text = scrape());
    %wanted = wanted();
    @missing = sort grep { !exists $scraped{$_} } keys %wanted;
    @unknown = sort grep { !exists $wanted{$_} && $scraped{$_} ne 'NaN' } keys %scraped;
    last unless @missing || @unknown;
    sleep 0.5;
}
cmp_ok(scalar keys %wanted, '>', 30, 'metrics');
is_deeply(\@missing, [], 'each of them is scraped, with its labels');
is_deeply(\@unknown, [], 'and nothing else');
foreach my $still (grep { !/last_step|start_timestamp|age_seconds|cache_bytes|run_|done_total|bytes_total|accounting_timestamp/ } keys %wanted) {
    cmp_ok($scraped{$still}, '==', $wanted{$still}, "$still has its value") if exists $scraped{$still};
}
is($scraped{'audiostore_store_objects|provider=local|storage_class=STANDARD|store=media'}, '100', 'objects of a store');
is($scraped{'audiostore_alerts_open|name=many'}, '1', 'an open alert');
like($text, qr/^# TYPE audiostore_operations_done_total counter$/m, 'counters are counters');
like($text, qr/^# TYPE audiostore_store_bytes gauge$/m, 'gauges are gauges');
unlike($text, qr/^pg_exporter_last_scrape_error\b.* 1$/m, 'no error of the exporter') or diag $log;
$process->kill_kill;
$node->stop;
done_testing();
