# The decoder's process dies, is late, or is in the way of a cancel: one error for that call, and nothing is left over.
# A helper that has been stopped (SIGSTOP) is one that never answers, so nothing here depends on how fast it is.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Audiostore::Node;

my $node = Audiostore::Node->new('decoder', settings => { restart_after_crash => 'on', 'audiostore.enabled' => 'off' });
# A second of silence, as WAV.
my $audio = q{decode('52494646a43e000057415645666d74201000000001000100401f0000803e000002001000', 'hex')
    || decode('64617461803e0000' || repeat('0000', 8000), 'hex')};
$node->safe_psql('postgres', "CREATE FUNCTION silence() RETURNS bytea IMMUTABLE LANGUAGE sql AS \$\$SELECT $audio\$\$");
my $call = 'SELECT (audiostore.audio_info(silence())).frames';

# ---- processes ----------------------------------------------------------------------------------------------------

# Of /proc/PID/stat: the state and the parent; nothing where there is no such process.
sub state_of {
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/stat" or return;
    my ($state, $parent) = (<$file> // '') =~ /^.*\) (\S) (\d+)/;
    return ($state, $parent);
}

sub helpers_of {
    my ($backend) = @_;
    my @helpers;
    foreach my $dir (glob '/proc/[0-9]*') {
        my ($pid) = $dir =~ /(\d+)$/;
        my (undef, $parent) = state_of($pid);
        push @helpers, $pid if ($parent // 0) == $backend;
    }
    return @helpers;
}

sub wait_for {
    my ($what, $condition) = @_;
    my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
    while (time < $deadline) {
        return pass($what) if $condition->();
        sleep 0.01;
    }
    return fail($what);
}

sub is_gone { my ($pid, $what) = @_; return wait_for($what, sub { !state_of($pid) }); }

# ---- sessions -----------------------------------------------------------------------------------------------------

# A psql of which the backend has a helper. Returns the session, the backend's process and the helper's.
sub session {
    my $session = { in => '', out => '', err => '' };
    $session->{run} = IPC::Run::start(
        [ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ],
        '<', \$session->{in}, '>', \$session->{out}, '2>', \$session->{err},
        IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
    my $backend = ask($session, 'SELECT pg_backend_pid()');
    is(ask($session, $call), '8000', 'a session has audio read');
    my @helpers = helpers_of($backend);
    is(scalar @helpers, 1, 'and keeps its helper');
    return ($session, $backend, $helpers[0]);
}

sub ask {
    my ($session, $query) = @_;
    send_query($session, $query);
    return answer($session);
}

sub send_query {
    my ($session, $query) = @_;
    $session->{out} = '';
    $session->{in} .= "$query;\n\\echo ready\n";
    $session->{run}->pump_nb while length $session->{in};
    return;
}

sub answer {
    my ($session) = @_;
    $session->{run}->pump until $session->{out} =~ /^ready$/m;
    my ($answer) = $session->{out} =~ /\A(.*?)\n?^ready$/ms;
    return $answer;
}

sub error_of {
    my ($session) = @_;
    my $error = $session->{err};
    $session->{err} = '';
    return $error;
}

sub finish { my ($session) = @_; $session->{run}->finish; return; }
# Of a session that the server has ended: psql may be gone before it is told.
sub give_up { my ($session) = @_; $session->{run}->kill_kill; return; }

# The session calls, and its helper does not answer.
sub stop_and_call {
    my ($session, $helper) = @_;
    kill STOP => $helper;
    wait_for('the helper stands still', sub { ((state_of($helper))[0] // '') eq 'T' });
    send_query($session, $call);
    return;
}

sub hang {
    my ($session, $backend, $helper) = @_;
    stop_and_call($session, $helper);
    ok($node->poll_query_until('postgres', "SELECT wait_event = 'Extension' FROM pg_stat_activity WHERE pid = $backend"),
        'the session waits for it');
    return;
}

sub goes_on {
    my ($session, $backend, $helper) = @_;
    is(ask($session, $call), '8000', 'the session goes on');
    isnt((helpers_of($backend))[0], $helper, 'with another helper');
    is(scalar helpers_of($backend), 1, 'which is the only one');
    return;
}

# ---- what may happen ----------------------------------------------------------------------------------------------

my ($session, $backend, $helper) = session();
is(ask($session, $call), '8000', 'a second call');
is_deeply([ helpers_of($backend) ], [$helper], 'takes the same helper');

note 'the helper is killed in the middle of a call';
hang($session, $backend, $helper);
kill KILL => $helper;
answer($session);
my $error = error_of($session);
like($error, qr/ERROR:  the audio decoder ended unexpectedly/, 'an error for the call');
like($error, qr/DETAIL:  It was ended by SIGKILL\./, 'that says how');
is_gone($helper, 'the helper is reaped');
goes_on($session, $backend, $helper);

note 'the helper is killed between two calls';
($helper) = helpers_of($backend);
kill KILL => $helper;
wait_for('it is dead', sub { ((state_of($helper))[0] // 'Z') eq 'Z' });
goes_on($session, $backend, $helper);

note 'the call is cancelled';
($helper) = helpers_of($backend);
hang($session, $backend, $helper);
$node->safe_psql('postgres', "SELECT pg_cancel_backend($backend)");
answer($session);
like(error_of($session), qr/ERROR:  canceling statement due to user request/, 'the cancel is what is told');
is_gone($helper, 'and the helper is no more');
goes_on($session, $backend, $helper);

note 'statement_timeout';
($helper) = helpers_of($backend);
ask($session, "SET statement_timeout = '500ms'");
stop_and_call($session, $helper);
answer($session);
like(error_of($session), qr/ERROR:  canceling statement due to statement timeout/, 'the timeout is what is told');
is_gone($helper, 'and the helper is no more');
ask($session, 'RESET statement_timeout');
goes_on($session, $backend, $helper);

note 'audiostore.decoder_timeout';
($helper) = helpers_of($backend);
ask($session, "SET audiostore.decoder_timeout = '500ms'");
stop_and_call($session, $helper);
answer($session);
$error = error_of($session);
like($error, qr/ERROR:  the audio decoder took too long/, 'an error for the call');
like($error, qr/HINT:  Raise audiostore\.decoder_timeout/, 'that says what to do');
is_gone($helper, 'the helper is no more');
ask($session, 'RESET audiostore.decoder_timeout');
goes_on($session, $backend, $helper);

note 'an exception handler goes on after it';
($helper) = helpers_of($backend);
kill STOP => $helper;
is(ask($session, q{SET audiostore.decoder_timeout = '300ms';
    DO $$ BEGIN PERFORM audiostore.audio_info(silence()); EXCEPTION WHEN program_limit_exceeded THEN RAISE NOTICE 'caught'; END $$;
    RESET audiostore.decoder_timeout; SELECT 'alive'}), 'alive', 'the error can be caught');
like(error_of($session), qr/NOTICE:  caught/, 'and was');
goes_on($session, $backend, $helper);

note 'the session ends';
($helper) = helpers_of($backend);
finish($session);
is_gone($helper, 'and its helper with it');

note 'the session is terminated in the middle of a call';
($session, $backend, $helper) = session();
hang($session, $backend, $helper);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($backend)");
is_gone($backend, 'it ends');
is_gone($helper, 'and its helper with it');
give_up($session);

note 'the backend is killed in the middle of a call';
($session, $backend, $helper) = session();
hang($session, $backend, $helper);
kill KILL => $backend;
is_gone($backend, 'it ends');
is_gone($helper, 'and its helper with it');
give_up($session);
$node->poll_query_until('postgres', 'SELECT true');

note 'the postmaster is killed in the middle of a call';
($session, $backend, $helper) = session();
hang($session, $backend, $helper);
$node->kill9;
is_gone($backend, 'the backend ends');
is_gone($helper, 'and its helper with it');
give_up($session);

$node->start;
is($node->safe_psql('postgres', $call), '8000', 'the server lives');
$node->stop;
done_testing();
