# An HTTP/1.1 server on loopback whose every answer is a Perl function's: for servers that misbehave on cue.
#
#   my $server = Audiostore::HttpServer->start(sub {
#       my ($request) = @_;                # {method, target, headers, body, number}
#       return [200, {'Content-Type' => 'text/plain'}, 'hello'];
#   });
#   $server->port;  $server->requests;     # what was asked so far
#
# Besides [status, headers, body] an answer can be one of
#   'reset'                    break the connection at once, with RST
#   'hang'                     never answer; the connection stays open
#   {answer => [...], break => 'reset' | 'close' | 'stall', after => BYTES}
#                              send the head and that much of the body (default: half), then break off
#
# What would surprise you: each connection has a process of its own, so variables of the handler are not shared
# between connections; $request->{number} counts over all of them. All processes end with the test's own.
package Audiostore::HttpServer;

use strict;
use warnings;

use Carp;
use Fcntl qw(:flock SEEK_SET SEEK_END);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket qw(IPPROTO_TCP SO_LINGER SOL_SOCKET TCP_NODELAY);
use Time::HiRes qw(sleep);

my $json = JSON::PP->new->latin1->canonical;

sub start {
    my ($class, $handler) = @_;
    my $listener = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1', Proto => 'tcp')
      or croak "cannot listen: $!";
    my $log = File::Temp->newdir('http-server-XXXXXX', TMPDIR => 1);

    # The server lives as long as the writing end of this pipe, which only the test's process has.
    pipe(my $alive, my $keep_alive) or croak "pipe: $!";
    my $pid = fork() // croak "fork: $!";
    if ($pid == 0) {
        close $keep_alive;
        _serve($listener, $alive, $handler, "$log");
        POSIX::_exit(0);
    }
    close $alive;
    my $self = bless {
        pid => $pid,
        owner => $$,
        port => $listener->sockport,
        keep_alive => $keep_alive,
        log => $log
    }, $class;
    close $listener;
    return $self;
}

sub port { return $_[0]->{port}; }
sub url { return 'http://127.0.0.1:' . $_[0]->{port}; }

# All requests so far, as a list of {number, method, target, answer}.
sub requests {
    my ($self) = @_;
    open my $in, '<', "$self->{log}/requests" or return;
    return map { $json->decode($_) } <$in>;
}

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

# ---- the server's processes -----------------------------------------------------------------------------------

sub _serve {
    my ($listener, $alive, $handler, $log) = @_;
    setpgrp;
    local $SIG{CHLD} = 'IGNORE';
    local $SIG{TERM} = sub { };
    local $SIG{PIPE} = 'IGNORE';
    my $select = IO::Select->new($listener, $alive);
    while (1) {
        my @ready = $select->can_read;
        last if grep { $_ == $alive } @ready;
        next unless @ready;
        my $connection = $listener->accept or next;
        my $pid = fork();
        if (defined $pid && $pid == 0) {
            $SIG{TERM} = 'DEFAULT';
            close $listener;
            close $alive;
            eval { _converse($connection, $handler, $log); 1 } or warn "http server: $@";
            POSIX::_exit(0);
        }
        close $connection;
    }
    kill TERM => -getpgrp();
    return;
}

sub _converse {
    my ($connection, $handler, $log) = @_;
    setsockopt $connection, IPPROTO_TCP, TCP_NODELAY, 1;
    my $in = {socket => $connection, buffer => ''};
    while (my $request = read_message($in, $connection)) {
        my ($method, $target) = split / /, $request->{first};
        @$request{qw(method target)} = ($method, $target);
        $request->{number} = _count($log);
        my $answer = $handler->($request);
        _note($log, $request, $answer);
        _answer($connection, $method, $answer) or return;
        return if lc($request->{headers}{connection} // '') eq 'close';
    }
    return;
}

# Sends the answer; false when the connection is over.
sub _answer {
    my ($connection, $method, $answer) = @_;
    my ($break, $after) = ('', undef);
    if (ref $answer eq 'HASH') {
        ($break, $after, $answer) = @$answer{qw(break after answer)};
    }
    return _break($connection, $answer) unless ref $answer;

    my ($status, $headers, $body) = @$answer;
    $body //= '';
    my %headers = ('Content-Length' => length $body, %$headers);
    my $head = "HTTP/1.1 $status " . ($status < 400 ? 'OK' : 'Error') . "\r\n";
    $head .= "$_: $headers{$_}\r\n" for grep { defined $headers{$_} } sort keys %headers;
    $body = '' if $method eq 'HEAD';
    if ($break) {
        $after //= length($body) >> 1;
        _write($connection, "$head\r\n" . substr($body, 0, $after));
        # Let what was sent be read first: a reset overtakes it.
        sleep 0.05;
        return _break($connection, $break);
    }
    return _write($connection, "$head\r\n$body");
}

sub _break {
    my ($connection, $how) = @_;
    if ($how eq 'hang' || $how eq 'stall') {
        # Until the client gives up.
        IO::Select->new($connection)->can_read;
    } elsif ($how eq 'reset') {
        setsockopt $connection, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    } elsif ($how ne 'close') {
        croak "unknown answer $how";
    }
    close $connection;
    return 0;
}

sub _write {
    my ($socket, $data) = @_;
    my $at = 0;
    while ($at < length $data) {
        my $sent = syswrite $socket, $data, 1 << 16, $at;
        return 0 unless defined $sent;
        $at += $sent;
    }
    return 1;
}

# Reads a request or reply: {first, headers (names in lower case), raw_headers, body}; undef at the end of the
# connection. $reply_to, where given, gets the "100 Continue" that a client waits for. $without_body: a reply to
# HEAD, say.
sub read_message {
    my ($in, $reply_to, $without_body) = @_;
    my $end;
    while (($end = index $in->{buffer}, "\r\n\r\n") < 0) {
        _more($in) or return undef;
    }
    my ($first, @lines) = split /\r\n/, substr $in->{buffer}, 0, $end + 4, '';
    my @raw = map { [split /:\s*/, $_, 2] } @lines;
    my %headers = map { lc $_->[0] => $_->[1] } @raw;
    _write($reply_to, "HTTP/1.1 100 Continue\r\n\r\n")
      if $reply_to && lc($headers{expect} // '') eq '100-continue';

    my $body = '';
    if ($without_body || $first =~ m{^HTTP/\S+ (?:1\d\d|204|304)}) {
    } elsif (lc($headers{'transfer-encoding'} // '') eq 'chunked') {
        while (my $size = hex _line($in)) {
            $body .= _take($in, $size);
            _line($in);
        }
        1 while length _line($in);
    } elsif (defined $headers{'content-length'}) {
        $body = _take($in, $headers{'content-length'});
    } elsif ($first =~ /^HTTP/) {
        1 while _more($in);
        $body = delete $in->{buffer};
        $in->{buffer} = '';
    }
    return {first => $first, headers => \%headers, raw_headers => \@raw, body => $body};
}

sub _more {
    my ($in) = @_;
    return sysread $in->{socket}, $in->{buffer}, 1 << 18, length $in->{buffer};
}

sub _take {
    my ($in, $length) = @_;
    while (length $in->{buffer} < $length) {
        _more($in) or die "connection ended in the middle of a body\n";
    }
    return substr $in->{buffer}, 0, $length, '';
}

sub _line {
    my ($in) = @_;
    my $end;
    while (($end = index $in->{buffer}, "\r\n") < 0) {
        _more($in) or die "connection ended in the middle of a line\n";
    }
    my $line = substr $in->{buffer}, 0, $end + 2, '';
    return substr $line, 0, -2;
}

# ---- the log: a counter and one JSON line per request, shared by all processes --------------------------------

sub _count {
    my ($log) = @_;
    open my $file, '+>>', "$log/count" or die "log: $!";
    flock $file, LOCK_EX;
    print $file '.';
    $file->flush;
    seek $file, 0, SEEK_END;
    return tell $file;
}

sub _note {
    my ($log, $request, $answer) = @_;
    $answer = $answer->{break} if ref $answer eq 'HASH';
    $answer = $answer->[0] if ref $answer;
    open my $file, '>>', "$log/requests" or die "log: $!";
    flock $file, LOCK_EX;
    print $file $json->encode({
        number => $request->{number},
        method => $request->{method},
        target => $request->{target},
        answer => $answer
      }), "\n";
    return;
}

1;
