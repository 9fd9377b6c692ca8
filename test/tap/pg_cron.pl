# A server that does not preload the library, with pg_cron as the only clock: CALL audiostore.run() does the work, over
# a connection and in one of pg_cron's background workers.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Audiostore::Node;

my ($sharedir) = run_command([ 'pg_config', '--sharedir' ]);
plan skip_all => 'pg_cron is not installed' unless -e "$sharedir/extension/pg_cron.control";

my %mode = (connection => 'off', worker => 'on');
my %node;
foreach my $mode (sort keys %mode) {
    my $node = Audiostore::Node->new(
        $mode,
        preload => 0,
        settings => {
            shared_preload_libraries => "'pg_cron'",
            'cron.database_name' => "'postgres'",
            'cron.host' => "'" . $PostgreSQL::Test::Cluster::test_pghost . "'",
            'cron.use_background_workers' => $mode{$mode}
        });
    $node->local_store('media');
    $node->safe_psql('postgres', q{
        CREATE EXTENSION pg_cron;
        SELECT cron.schedule('audiostore', '* * * * *', 'CALL audiostore.run()');
        CREATE TABLE songs (path text);
        SELECT audiostore.track('songs', 'path', store => 'media');
        INSERT INTO songs VALUES ('one'), ('two');
        SELECT audiostore.put_object('media', path, 'x') FROM songs;
        SELECT audiostore.put_object('media', 'three', 'x');
        SELECT audiostore.delete_object('media', 'three')});
    is($node->safe_psql('postgres', 'SELECT worker FROM audiostore.status'), 'not preloaded', "$mode: no worker of ours");
    $node{$mode} = $node;
}

# The next full minute, and some.
foreach my $mode (sort keys %node) {
    my $node = $node{$mode};
    my $deadline = time + 130;
    my $pending = 1;
    until ($pending eq '0' || time > $deadline) {
        sleep 0.2;
        $pending = $node->safe_psql('postgres', 'SELECT count(*) FROM audiostore.pending_operations');
    }
    is($pending, '0', "$mode: everything was done");
    is_deeply([ $node->files('media') ], [ 'one', 'two' ], "$mode: the store is as the rows say");
    $node->poll_query_until('postgres', q{SELECT bool_and(status = 'succeeded') FROM cron.job_run_details});
    is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT status || ' ' || return_message, '; ') FROM cron.job_run_details}),
        'succeeded CALL', "$mode: pg_cron is content");
    $node->stop;
}
done_testing();
