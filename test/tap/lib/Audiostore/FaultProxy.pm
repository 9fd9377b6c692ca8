# An HTTP proxy on loopback that goes before a real store and misbehaves at a given rate, or on cue.
#
#   my $proxy = Audiostore::FaultProxy->start('http://127.0.0.1:8000');
#   $proxy->faults(slowdown => 0.2, lost_reply => 0.1, seed => 7);    # rates from 0 to 1, until told otherwise
#   $proxy->next_faults('reset', 'none', 'lost_reply');               # the next three requests, whatever the rates
#   $proxy->faults(methods => 'POST', key_error => 0.3);
#   $proxy->faults;                                                   # behaves
#
# Requests pass with their Host header and path as they are, so that signatures stay valid. The faults:
#   slowdown    503 SlowDown                                       the store is not asked
#   error       500 InternalError                                  the store is not asked
#   reset       connection reset                                   the store is not asked
#   hang        no answer ever                                     the store is not asked
#   lost_reply  the store does it all, then connection reset before the first byte of its answer
#   truncate    head and half of the body of the answer, then an orderly close
#   broken      the same, then a reset
# and besides, with rates of their own,
#   delay       the answer comes delay_ms (100) later
#   key_error   in the answer to DeleteObjects, this share of the keys is said to have failed (it was done, though)
package Audiostore::FaultProxy;

use strict;
use warnings;

use parent 'Audiostore::HttpServer';
use Carp;
use Fcntl qw(:flock SEEK_SET);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(sleep);

my @kinds = qw(slowdown error reset hang lost_reply truncate broken);
my %known = map { $_ => 1 } @kinds, qw(delay delay_ms key_error methods seed);

sub start {
    my ($class, $upstream) = @_;
    my ($address) = $upstream =~ m{^http://([^/]+)} or croak "not an http address: $upstream";
    my $settings = File::Temp->newdir('fault-proxy-XXXXXX', TMPDIR => 1);
    my $file = "$settings/settings";
    my $self = $class->SUPER::start(sub { return _handle($_[0], $address, $file); });
    $self->{settings} = $settings;
    $self->faults;
    return $self;
}

# Replaces all settings, and forgets what next_faults asked for.
sub faults {
    my ($self, %settings) = @_;
    $known{$_} or croak "no fault or setting named $_" for keys %settings;
    _change("$self->{settings}/settings", sub { %{$_[0]} = (drawn => 0, next => [], %settings); });
    return;
}

sub next_faults {
    my ($self, @faults) = @_;
    _change("$self->{settings}/settings", sub { push @{$_[0]->{next}}, @faults; });
    return;
}

# How often each fault struck so far: {slowdown => 3, ...}.
sub counts {
    my ($self) = @_;
    my $counts = {};
    _change("$self->{settings}/settings.counts", sub { $counts = $_[0]; });
    return $counts;
}

# ---- in the processes of the server ---------------------------------------------------------------------------

# Reads the settings, lets the function change them, and writes them back, while nobody else can.
sub _change {
    my ($path, $change) = @_;
    open my $file, '+>>', $path or die "$path: $!";
    flock $file, LOCK_EX;
    seek $file, 0, SEEK_SET;
    my $text = do { local $/; <$file> };
    my $settings = $text ? JSON::PP::decode_json($text) : {};
    my $result = $change->($settings);
    truncate $file, 0;
    print $file JSON::PP::encode_json($settings);
    close $file;
    return $result;
}

# What happens to this request: {fault, delay, keys}, drawn from the seed and the number of draws before it.
sub _draw {
    my ($request, $file) = @_;
    return _change(
        $file,
        sub {
            my ($set) = @_;
            return {fault => 'none'}
              if $set->{methods} && $set->{methods} !~ /\b$request->{method}\b/;
            srand(($set->{seed} // 1) * 1_000_003 + $set->{drawn}++);
            my $fate = {};
            $fate->{delay} = ($set->{delay_ms} // 100) / 1000 if rand() < ($set->{delay} // 0);
            $fate->{keys} = $set->{key_error};
            my $left = rand();
            $fate->{fault} = shift(@{$set->{next}})
              // (grep { ($left -= $set->{$_} // 0) < 0 } @kinds)[0] // 'none';
            return $fate;
        });
}

sub _handle {
    my ($request, $address, $file) = @_;
    my $fate = _draw($request, $file);
    my $fault = $fate->{fault};
    my $count = sub { my ($what) = @_; _change("$file.counts", sub { $_[0]->{$what}++; }); };
    $count->($fault) if $fault ne 'none';
    if ($fate->{delay}) {
        $count->('delay');
        sleep $fate->{delay};
    }
    return $fault if $fault eq 'reset' || $fault eq 'hang';
    return _error(503, 'SlowDown', 'Please reduce your request rate.') if $fault eq 'slowdown';
    return _error(500, 'InternalError', 'We encountered an internal error.') if $fault eq 'error';

    my $answer = _forward($request, $address);
    if ($fate->{keys} && $request->{method} eq 'POST' && $request->{target} =~ /[?&]delete\b/) {
        my $struck = _spoil_keys($answer, $request->{body}, $fate->{keys});
        $count->('key_error') for 1 .. $struck;
    }
    # Of an answer without a body nothing is left to break off.
    my $bodiless = $request->{method} eq 'HEAD' || !length $answer->[2];
    return 'reset' if $fault eq 'lost_reply' || ($bodiless && $fault =~ /truncate|broken/);
    return {answer => $answer, break => 'close'} if $fault eq 'truncate';
    return {answer => $answer, break => 'reset'} if $fault eq 'broken';
    return $answer;
}

sub _error {
    my ($status, $code, $message) = @_;
    return [
        $status,
        {'Content-Type' => 'application/xml'},
        qq{<?xml version="1.0" encoding="UTF-8"?><Error><Code>$code</Code><Message>$message</Message></Error>}];
}

sub _forward {
    my ($request, $address) = @_;
    my $up = IO::Socket::INET->new(PeerAddr => $address, Proto => 'tcp')
      or return _error(502, 'BadGateway', 'no upstream');
    my $head = "$request->{method} $request->{target} HTTP/1.1\r\n";
    foreach my $header (@{$request->{raw_headers}}) {
        next if lc($header->[0]) =~ /^(?:connection|expect|transfer-encoding|content-length)$/;
        $head .= "$header->[0]: $header->[1]\r\n";
    }
    $head .= 'Content-Length: ' . length($request->{body}) . "\r\n"
      if length $request->{body} || $request->{method} =~ /^P/;
    Audiostore::HttpServer::_write($up, $head . "Connection: close\r\n\r\n" . $request->{body});
    my $reply = Audiostore::HttpServer::read_message({socket => $up, buffer => ''}, undef, $request->{method} eq 'HEAD')
      or return _error(502, 'BadGateway', 'upstream failed');
    my ($status) = $reply->{first} =~ m{^HTTP/\S+ (\d+)};
    my %headers = map { $_->[0] => $_->[1] }
      grep { lc($_->[0]) !~ /^(?:connection|transfer-encoding|content-length)$/ } @{$reply->{raw_headers}};
    $headers{'Content-Length'} = $reply->{headers}{'content-length'} if $request->{method} eq 'HEAD';
    $headers{'Content-Length'} = undef if $status == 204 || $status == 304;
    return [$status, \%headers, $reply->{body}];
}

# Turns some keys of a DeleteObjects request into errors of its reply. Returns how many.
sub _spoil_keys {
    my ($answer, $request_body, $share) = @_;
    my ($errors, $struck) = ('', 0);
    foreach my $key ($request_body =~ m{<Key>(.*?)</Key>}gs) {
        next unless rand() < $share;
        $answer->[2] =~ s{<Deleted>\s*<Key>\Q$key\E</Key>.*?</Deleted>}{}s;
        $errors .= "<Error><Key>$key</Key><Code>InternalError</Code><Message>We encountered an internal error."
          . '</Message></Error>';
        $struck++;
    }
    # A reply without any element in it may be written <DeleteResult .../>.
    $answer->[2] =~ s{<DeleteResult([^>]*?)/>}{<DeleteResult$1></DeleteResult>};
    $answer->[2] =~ s{</DeleteResult>}{$errors</DeleteResult>};
    return $struck;
}

1;
