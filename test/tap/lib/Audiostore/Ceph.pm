# A real S3 store for tests: Ceph's gateway, started by test/servers/ceph-rgw, gone when the test is.
#
#   my $ceph = Audiostore::Ceph->start;         # undef where Ceph is not installed
#   $ceph->make_bucket('media');
#   is_deeply([$ceph->keys('media')], [...]);   # what the store itself says, without our own client
#
# Buckets are world-readable for listing, so that what a test believes does not rest on the signatures it tests.
package Audiostore::Ceph;

use strict;
use warnings;

use Carp;
use File::Basename qw(dirname);
use File::Temp ();
use HTTP::Tiny;
use IPC::Open2 qw(open2);

my $script = dirname(__FILE__) . '/../../../servers/ceph-rgw';

sub start {
    my ($class) = @_;
    foreach my $program (qw(ceph-mon ceph-osd ceph radosgw radosgw-admin monmaptool curl)) {
        return undef unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
    }
    my $dir = File::Temp->newdir('ceph-XXXXXX', TMPDIR => 1);
    my $pid = open2(my $out, my $keep_alive, $script, "$dir");
    my %said;
    while (my $line = <$out>) {
        last if $line eq "\n";
        $said{$1} = $2 if $line =~ /^(\w+)=(.*)/;
    }
    $said{endpoint} or croak 'Ceph did not start';
    return bless {%said, pid => $pid, owner => $$, keep_alive => $keep_alive, out => $out, dir => $dir}, $class;
}

sub endpoint { return $_[0]->{endpoint}; }
sub access_key { return $_[0]->{access_key}; }
sub secret_key { return $_[0]->{secret_key}; }

sub stop {
    my ($self) = @_;
    return unless $self->{pid} && $self->{owner} == $$;
    close $self->{keep_alive};
    waitpid delete $self->{pid}, 0;
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);
    $self->stop;
    return;
}

sub make_bucket {
    my ($self, $bucket) = @_;
    $self->_curl([ '-X', 'PUT', '-H', 'x-amz-acl: public-read' ], "$self->{endpoint}/$bucket");
    return;
}

# Multipart uploads that nobody goes on with: the id of each.
sub begin_uploads {
    my ($self, $bucket, @keys) = @_;
    my $answers = $self->_curl([ '-X', 'POST' ], map { "$self->{endpoint}/$bucket/" . _path($_) . '?uploads=' } @keys);
    return $answers =~ m{<UploadId>(.*?)</UploadId>}g;
}

sub abort_upload {
    my ($self, $bucket, $key, $id) = @_;
    $self->_curl([ '-X', 'DELETE' ], "$self->{endpoint}/$bucket/" . _path($key) . '?uploadId=' . _escape($id));
    return;
}

# Signed requests, and what they are answered with, one after the other.
sub _curl {
    my ($self, $options, @urls) = @_;
    my $answers = '';
    while (my @some = splice @urls, 0, 200) {
        open my $in, '-|', 'curl', '-sSf', '--aws-sigv4', 'aws:amz:us-east-1:s3', '-u', "$self->{access_key}:$self->{secret_key}",
          '-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD', @$options, @some
          or croak "curl: $!";
        $answers .= join '', <$in>;
        close $in or croak "curl @$options: failed";
    }
    return $answers;
}

# Objects of the bucket in the order in which the store lists them: {key, size, storage_class, etag}.
sub objects {
    my ($self, $bucket, $prefix) = @_;
    my (@objects, $token);
    do {
        my $url = "$self->{endpoint}/$bucket?list-type=2&encoding-type=url";
        $url .= '&prefix=' . _escape($prefix) if defined $prefix;
        $url .= '&continuation-token=' . _escape($token) if defined $token;
        my $reply = HTTP::Tiny->new->get($url);
        $reply->{success} or croak "listing of $bucket: $reply->{status} $reply->{content}";
        foreach my $entry ($reply->{content} =~ m{<Contents>(.*?)</Contents>}gs) {
            push @objects,
              {
                key => _unescape(_field($entry, 'Key')),
                size => _field($entry, 'Size'),
                storage_class => _field($entry, 'StorageClass'),
                etag => _field($entry, 'ETag')
              };
        }
        $token = _field($reply->{content}, 'NextContinuationToken');
    } while (defined $token);
    return @objects;
}

sub keys {
    my ($self, $bucket, $prefix) = @_;
    return map { $_->{key} } $self->objects($bucket, $prefix);
}

# Unfinished multipart uploads that the store still keeps the parts of.
sub unfinished_uploads {
    my ($self, $bucket) = @_;
    my $reply = HTTP::Tiny->new->get("$self->{endpoint}/$bucket?uploads");
    $reply->{success} or croak "uploads of $bucket: $reply->{status} $reply->{content}";
    return $reply->{content} =~ m{<Upload>.*?<Key>(.*?)</Key>}gs;
}

my %entity = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'");

sub _field {
    my ($xml, $name) = @_;
    my ($text) = $xml =~ m{<$name>(.*?)</$name>}s;
    return undef unless defined $text;
    return $text =~ s/&(\w+);/$entity{$1}/gr;
}

# Keys are bytes here.
sub _path { my ($key) = @_; return _escape($key) =~ s/%2F/\//gr; }
sub _escape { my ($text) = @_; $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge; return $text; }
sub _unescape { my ($text) = @_; $text =~ tr/+/ /; $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge; return $text; }

1;
