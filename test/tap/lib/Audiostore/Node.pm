# PostgreSQL::Test::Cluster with the extension and its stores:
#
#   my $node = Audiostore::Node->new('main', preload => 0, settings => {work_mem => '8MB'});
#   my $root = $node->local_store('media');
#   $node->s3_store('bucket', $ceph, bucket => 'media', endpoint => $proxy->url);
#   $node->run_until_drained;               # CALL audiostore.run() until nothing is pending
#   is_deeply([$node->files('media')], [...]);
#
# Everything else is the Cluster's own. With preload (the default) the worker runs; without, run() is the only way.
package Audiostore::Node;

use strict;
use warnings;

use parent 'PostgreSQL::Test::Cluster';
use Carp;
use Cwd ();
use File::Find ();
use File::Temp ();
use PostgreSQL::Test::Utils ();
use Time::HiRes qw(sleep time);

sub new {
    my ($class, $name, %options) = @_;
    my $self = $class->SUPER::new($name);
    $self->init(allows_streaming => $options{allows_streaming} // 0);
    my %settings = (
        max_prepared_transactions => 10,
        timezone => "'UTC'",
        %{$options{settings} // {}});
    $settings{shared_preload_libraries} //= "'audiostore'" if $options{preload} // 1;
    $self->append_conf('postgresql.conf', "$_ = $settings{$_}") for sort keys %settings;
    $self->start;
    $self->safe_psql('postgres', 'CREATE EXTENSION audiostore');
    return $self;
}

# A local store in a fresh directory. Returns the directory.
sub local_store {
    my ($self, $store, %options) = @_;
    my $root = Cwd::abs_path(PostgreSQL::Test::Utils::tempdir());
    $self->_create_server($store, provider => 'local', root => $root, %options);
    $self->{roots}{$store} = $root;
    return $root;
}

sub s3_store {
    my ($self, $store, $ceph, %options) = @_;
    $self->_create_server(
        $store,
        provider => 's3',
        region => 'us-east-1',
        addressing => 'path',
        endpoint => $ceph->endpoint,
        %options);
    $self->safe_psql('postgres',
            "CREATE USER MAPPING FOR PUBLIC SERVER $store OPTIONS (access_key_id '"
          . $ceph->access_key
          . "', secret_access_key '"
          . $ceph->secret_key
          . "')");
    return;
}

sub _create_server {
    my ($self, $store, %options) = @_;
    my $list = join ', ', map { "$_ '" . ($options{$_} =~ s/'/''/gr) . "'" } sort keys %options;
    $self->safe_psql('postgres', "CREATE SERVER $store FOREIGN DATA WRAPPER audiostore OPTIONS ($list)");
    return;
}

# Keys of a local store by what lies in its directory, sorted by bytes; without unfinished files.
sub files {
    my ($self, $store) = @_;
    my $root = $self->{roots}{$store} // croak "no local store $store";
    my @files;
    File::Find::find(
        {
            no_chdir => 1,
            wanted => sub { push @files, substr $_, length($root) + 1 if -f $_; },
            preprocess => sub { grep { $_ ne '.audiostore-tmp' } @_ }
        },
        $root);
    return sort @files;
}

# Runs what is due until no operation is left, for a minute at most; then fails.
sub run_until_drained {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds // 60);
    while (time < $deadline) {
        $self->safe_psql('postgres', "CALL audiostore.run('outbox')");
        return 1 if $self->safe_psql('postgres', 'SELECT count(*) FROM audiostore.pending_operations') eq '0';
        sleep 0.1;
    }
    return $self->_stuck;
}

# Waits until the worker has done it all.
sub wait_until_drained {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds // 60);
    while (time < $deadline) {
        return 1 if $self->safe_psql('postgres', 'SELECT count(*) FROM audiostore.pending_operations') eq '0';
        sleep 0.05;
    }
    return $self->_stuck;
}

# What a query prints, undef when it fails. For servers that may just refuse connections: a psql that reads from a pipe
# and is refused may be gone before the query was written to it, which IPC::Run does not survive.
sub ask {
    my ($self, $query) = @_;
    my ($out) = PostgreSQL::Test::Utils::run_command([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $self->connstr('postgres'), '-c', $query ]);
    return $? == 0 ? $out : undef;
}

# Waits for a server that is recovering from a crash, for two minutes at most.
sub wait_until_back {
    my ($self) = @_;
    my $deadline = time + 120;
    while (time < $deadline) {
        return 1 if ($self->ask('SELECT true') // '') eq 't';
        sleep 0.1;
    }
    croak 'the server does not come back';
}

sub _stuck {
    my ($self) = @_;
    my $left = $self->safe_psql('postgres',
        'SELECT kind, store, state, attempts, last_error, count(*) FROM audiostore.operations GROUP BY 1, 2, 3, 4, 5');
    croak "operations are left:\n$left\n";
}

1;
