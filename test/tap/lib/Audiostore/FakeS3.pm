# An S3 bucket whose objects are files in a directory, for tests that interfere with single requests:
#
#   my $s3 = Audiostore::FakeS3->start(sub {
#       my ($request, $carry_out) = @_;    # {method, target, headers, body, number}
#       return 'reset' if ...;             # what Audiostore::HttpServer understands; the bucket is not touched
#       my $answer = $carry_out->();       # does what was asked for
#       return $answer;
#   });
#   $s3->objects;                          # {key => content}
#
# It checks no signatures, knows no parts, and its objects have no metadata.
package Audiostore::FakeS3;

use strict;
use warnings;

use parent 'Audiostore::HttpServer';
use Digest::MD5 qw(md5_hex);
use File::Temp ();

sub start {
    my ($class, $interfere) = @_;
    my $dir = File::Temp->newdir('fake-s3-XXXXXX', TMPDIR => 1);
    my $path = "$dir";
    my $self = $class->SUPER::start(
        sub {
            my ($request) = @_;
            my $carry_out = sub { return _answer_to($path, $request); };
            return $interfere ? $interfere->($request, $carry_out) : $carry_out->();
        });
    $self->{dir} = $dir;
    return $self;
}

sub objects {
    my ($self) = @_;
    return objects_in("$self->{dir}");
}

sub dir { return "$_[0]->{dir}"; }

# Also for the server's processes, which have the directory's name only.
sub objects_in {
    my ($dir) = @_;
    my %objects;
    foreach my $file (glob "$dir/k*") {
        my ($hex) = $file =~ m{/k([0-9a-f]*)$} or next;
        $objects{pack 'H*', $hex} = _read($file) // next;
    }
    return \%objects;
}

sub write_object { my ($dir, $key, $content) = @_; _write_file(_file($dir, $key), $content); return; }

sub _file { my ($dir, $key) = @_; return "$dir/k" . unpack 'H*', $key; }

sub _read {
    my ($file) = @_;
    open my $in, '<:raw', $file or return undef;
    local $/ = undef;
    return scalar <$in>;
}

sub _write_file {
    my ($file, $content) = @_;
    open my $out, '>:raw', "$file.new$$" or die "$file: $!";
    print $out $content;
    close $out;
    rename "$file.new$$", $file or die "$file: $!";
    return;
}

sub _unescape { my ($text) = @_; return $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger; }

sub _describe {
    my ($content) = @_;
    return ('ETag' => '"' . md5_hex($content) . '"', 'Last-Modified' => 'Fri, 02 Jan 2026 03:04:05 GMT',
        'Content-Type' => 'audio/wav', 'Content-Length' => length $content);
}

sub _missing { return [404, {}, '<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>']; }

sub _answer_to {
    my ($dir, $request) = @_;
    my ($path, $query) = split /\?/, $request->{target}, 2;
    my (undef, undef, $escaped) = split m{/}, $path, 3;
    my $method = $request->{method};
    if (!defined $escaped || $escaped eq '') {
        return [200, {}, ''] if $method eq 'HEAD';
        if ($method eq 'POST') {
            unlink _file($dir, $_) for $request->{body} =~ m{<Key>(.*?)</Key>}gs;
            return [200, {}, '<DeleteResult></DeleteResult>'];
        }
        return [200, {}, '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'];
    }
    my $file = _file($dir, _unescape($escaped));
    if ($method eq 'PUT') {
        my $content = $request->{body};
        if (my $source = $request->{headers}{'x-amz-copy-source'}) {
            my (undef, $key) = split m{/}, _unescape($source =~ s{^/}{}r), 2;
            $content = _read(_file($dir, $key));
            return _missing() unless defined $content;
        }
        _write_file($file, $content);
        my $etag = md5_hex($content);
        return [200, {ETag => "\"$etag\""}, $request->{headers}{'x-amz-copy-source'}
            ? "<CopyObjectResult><ETag>\"$etag\"</ETag></CopyObjectResult>" : ''];
    }
    if ($method eq 'DELETE') {
        unlink $file;
        return [204, {}, ''];
    }
    my $content = _read($file);
    return _missing() unless defined $content;
    return [200, {_describe($content)}, $content];
}

1;
