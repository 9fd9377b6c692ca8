# A server with the library preloaded, and questions about its workers.
package Audiostore::Workers;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_server worker_pid wait_for_worker wait_for_no_worker wait_for_new_worker log_count);

# new_server(name, preload => 1, conf => '...'): initialised, not started.
sub new_server {
    my ($name, %options) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name);
    $node->init(%{ $options{init} // {} });
    $node->append_conf('postgresql.conf', "shared_preload_libraries = 'audiostore'") if $options{preload} // 1;
    $node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
    return $node;
}

# The process that works on a database, '' when none. Asked of pg_stat_activity, so that the extension need not
# exist in the database that the question is put to.
sub worker_pid {
    my ($node, $database) = @_;
    return $node->safe_psql('postgres',
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker' AND datname = '$database'");
}

sub _poll {
    my ($node, $database, $condition, $what) = @_;
    my $query = "SELECT $condition FROM pg_stat_activity WHERE backend_type = 'audiostore worker' AND datname = '$database'";
    $node->poll_query_until('postgres', $query) or die "timed out waiting for $what in database $database";
    return;
}

# Until it idles: it has connected, found the extension and looked for work.
sub wait_for_worker {
    my ($node, $database) = @_;
    _poll($node, $database, "count(*) FILTER (WHERE state = 'idle') = 1", 'a worker');
    return worker_pid($node, $database);
}

sub wait_for_no_worker {
    my ($node, $database) = @_;
    _poll($node, $database, 'count(*) = 0', 'no worker');
    return;
}

sub wait_for_new_worker {
    my ($node, $database, $old) = @_;
    _poll($node, $database, "count(*) FILTER (WHERE state = 'idle' AND pid <> $old) = 1", 'a new worker');
    return worker_pid($node, $database);
}

sub log_count {
    my ($node, $pattern) = @_;
    my @found = slurp_file($node->logfile) =~ /$pattern/g;
    return scalar @found;
}

1;
