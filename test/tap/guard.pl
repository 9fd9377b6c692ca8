# The boundary between PostgreSQL and C++: whatever ends an entry point, an exception, an ereport, a cancel or the end of
# the session, its C++ frames are unwound, the error arrives whole and the server lives.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::HttpServer;
use Audiostore::Node;

my $node = Audiostore::Node->new('guard', preload => 0);

sub sql {
    my ($query) = @_;
    return $node->safe_psql('postgres', $query);
}

sql(<<'SQL');
CREATE FUNCTION guard_fail(how text) RETURNS text LANGUAGE c AS '$libdir/audiostore_guard_test', 'audiostore_guard_fail';
CREATE FUNCTION guard_alive() RETURNS int LANGUAGE c AS '$libdir/audiostore_guard_test', 'audiostore_guard_alive';
CREATE FUNCTION caught(how text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text; constr text;
BEGIN
    RETURN 'returned ' || guard_fail(how);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
        constr = CONSTRAINT_NAME;
    RETURN concat_ws('|', SQLSTATE, message, detail, hint, constr, guard_alive());
END
$$;
SQL

# ---- what arrives -----------------------------------------------------------------------------------------

my $raised = '23514|raised by PostgreSQL|the detail|the hint|the constraint|0';
my %expected = (
    exception => 'XX000|unexpected failure in audiostore: thrown||||0',
    number => 'XX000|unexpected failure in audiostore||||0',
    bad_alloc => '53200|out of memory||||0',
    error => '42602|an error of ours|the detail|the hint||0',
    sql_error => '55006|an SQL error|the detail|the hint||0',
    ereport => $raised,
    scopes => $raised,
    inside_call => $raised,
    swallow => 'returned swallowed: raised by PostgreSQL, the detail, the hint',
    nothing => 'returned nothing');
for my $how (sort keys %expected) {
    is(sql("SELECT caught('$how')"), $expected{$how}, "$how arrives whole and leaves nothing alive");
}
is(sql("SELECT guard_fail('swallow'); SELECT guard_alive(); SELECT count(*) FROM pg_class WHERE relname = 'pg_class'"),
    "swallowed: raised by PostgreSQL, the detail, the hint\n0\n1", 'a swallowed error leaves a transaction that goes on');

# In one session, thousands of times: nothing piles up.
is( sql(<<'SQL'),
SELECT count(DISTINCT caught(how)) FROM generate_series(1, 3000) i, unnest(ARRAY['exception', 'ereport', 'scopes']) how;
SELECT guard_alive(), sum(total_bytes) < 65536 FROM pg_backend_memory_contexts WHERE name = 'audiostore errors';
SQL
    "2\n0|t", 'nine thousand errors in one session leave no object and no memory');

# ---- cancel and end of the session --------------------------------------------------------------------------

# psql's answer to a statement that a timeout cancels, and to what follows in the same session.
sub cancelled {
    my ($query, $timeout) = @_;
    $timeout //= 200;
    my ($code, $output, $error) = $node->psql(
        'postgres',
        "\\set VERBOSITY verbose\nSET statement_timeout = $timeout;\n$query;\nRESET statement_timeout;\nSELECT 'alive ' || guard_alive();",
        on_error_stop => 0);
    return ($output, $error);
}

my ($output, $error) = cancelled("SELECT guard_fail('wait')");
like($error, qr/57014: canceling statement due to statement timeout/, 'a cancel ends a wait');
is($output, 'alive 0', 'and unwinds it');

# A session that runs this statement; returns its pid once it runs.
sub start_session {
    my ($query, $name) = @_;
    my $session = $node->background_psql_session($query, $name);
    $node->poll_query_until('postgres',
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '$name' AND state = 'active'")
      or die "session $name does not run";
    return ($session, sql("SELECT pid FROM pg_stat_activity WHERE application_name = '$name'"));
}

{
    no warnings 'once';
    *PostgreSQL::Test::Cluster::background_psql_session = sub {
        my ($self, $query, $name) = @_;
        my ($out, $err) = ('', '');
        my $harness = IPC::Run::start(
            ['psql', '-XAt', '-d', $self->connstr('postgres') . " application_name=$name", '-c', $query],
            '>', \$out, '2>', \$err);
        return { harness => $harness, err => \$err };
    };
}

sub terminated {
    my ($query, $name) = @_;
    my ($session, $pid) = start_session($query, $name);
    sql("SELECT pg_terminate_backend($pid)");
    $session->{harness}->finish;
    $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
    return ${ $session->{err} };
}

like(terminated("SELECT guard_fail('wait')", 'wait'), qr/terminating connection due to administrator command/,
    'the end of the session ends a wait');

# ---- the entry points that wait for a store -------------------------------------------------------------------

my $server = Audiostore::HttpServer->start(sub { return 'hang'; });
my $url = $server->url;
sql(<<"SQL");
CREATE SERVER hanging FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'bucket', region 'us-east-1', endpoint '$url', addressing 'path');
CREATE USER MAPPING FOR PUBLIC SERVER hanging OPTIONS (access_key_id 'AKIA', secret_access_key 'hush');
IMPORT FOREIGN SCHEMA "raw/" FROM SERVER hanging INTO public;
SQL
my %waiting = (
    get_object => "SELECT audiostore.get_object('hanging', 'k')",
    head_object => "SELECT audiostore.head_object('hanging', 'k')",
    list_objects => "SELECT count(*) FROM audiostore.list_objects('hanging')",
    foreign_table => 'SELECT count(*) FROM raw');
for my $name (sort keys %waiting) {
    ($output, $error) = cancelled($waiting{$name});
    like($error, qr/57014: canceling statement due to statement timeout/, "a cancel ends $name");
    is($output, 'alive 0', 'and the session goes on');
    like(terminated($waiting{$name}, $name), qr/terminating connection due to administrator command/,
        "the end of the session ends $name");
}
my ($session, $pid) = start_session("SELECT audiostore.verify_store('hanging')", 'verify_store');
sql("SELECT pg_terminate_backend($pid)");
$session->{harness}->finish;
like(${ $session->{err} }, qr/terminating connection/, 'the end of the session ends verify_store');

# Connections whose exchange was cancelled are closed: a session does not run out of descriptors.
is( sql(<<'SQL'),
CREATE TEMP TABLE sockets (n int);
CREATE PROCEDURE count_sockets() LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY sockets FROM PROGRAM %L', format('ls -l /proc/%s/fd | grep -c socket', pg_backend_pid()));
END
$$;
CREATE PROCEDURE try() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audiostore.head_object('hanging', 'k');
EXCEPTION WHEN query_canceled THEN
    NULL;
END
$$;
SET statement_timeout = 100; CALL try(); RESET statement_timeout; CALL count_sockets();
SET statement_timeout = 100; CALL try(); CALL try(); RESET statement_timeout; CALL count_sockets();
SET statement_timeout = 100; CALL try(); RESET statement_timeout; CALL count_sockets();
SELECT max(n) - min(n) FROM sockets;
SQL
    '0', 'cancelled exchanges leave no sockets');

# ---- NULL everywhere ------------------------------------------------------------------------------------------

# Every function that is called from SQL, with nothing but NULLs: errors are fine, a crash is not.
sql(<<'SQL');
CREATE PROCEDURE call_all_with_nulls() LANGUAGE plpgsql AS $$
DECLARE
    f record;
BEGIN
    FOR f IN
        SELECT p.oid::regprocedure AS name, p.proname,
               (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY n)
                FROM unnest(p.proargtypes) WITH ORDINALITY a (t, n)) AS arguments
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'audiostore'::regnamespace AND l.lanname = 'c' AND p.prokind = 'f'
          AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'fdw_handler'::regtype)
    LOOP
        BEGIN
            EXECUTE format('SELECT * FROM audiostore.%I(%s)', f.proname, f.arguments);
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE LIKE 'XX%' THEN
                RAISE EXCEPTION '% fails with %: %', f.name, SQLSTATE, SQLERRM;
            END IF;
        END;
    END LOOP;
END
$$;
SQL
is($node->psql('postgres', 'CALL call_all_with_nulls()', stderr => \$error), 0, 'every function survives NULLs') or diag($error);

$node->local_store('here');
sql('IMPORT FOREIGN SCHEMA "/" FROM SERVER here INTO public');

# ---- the server -----------------------------------------------------------------------------------------------

unlike(slurp_file($node->logfile), qr/was terminated by signal|server process .* exited with exit code [^1]/,
    'no backend crashed');
unlike(slurp_file($node->logfile), qr/non-empty SPI stack|reference leak|snapshot .* leak/, 'no warning about leaks');
unlike(slurp_file($node->logfile), qr/(?<!secret_access_key ')hush/, 'no secret but in the statement that set it');

$node->stop;

# ---- memory, by valgrind ----------------------------------------------------------------------------------------

# Runs statements in a server of one process; returns what it printed, and what is lost or misused in our frames.
sub under_valgrind {
    my (@statements) = @_;
    my $log = $node->basedir . '/valgrind.log';
    my $input = join '', map { "$_;\n\n" } @statements;
    my $output = '';
    IPC::Run::run(
        [
            'valgrind', '--leak-check=full', '--show-leak-kinds=definite', '--num-callers=40', "--log-file=$log",
            'postgres', '--single', '-j', '-D', $node->data_dir, 'postgres'
        ],
        '<', \$input, '>&', \$output, IPC::Run::timeout(600));
    my @blocks = split /\n==\d+== \n/, slurp_file($log);
    return ($output, join "\n\n", grep { /audiostore/ && /definitely lost|Invalid (?:read|write|free)|uninitialised/ } @blocks);
}

SKIP: {
    skip 'valgrind is not installed', 3 if system('valgrind --version >/dev/null 2>&1') != 0;
    my ($output, $errors) = under_valgrind(
        (map { "SELECT caught('$_')" } ((sort keys %expected) x 3)),
        "SELECT count(*) FROM audiostore.verify_store('here')",
        "SELECT audiostore.put_object('here', 'k' || i, 'x', 'text/plain', '{\"a\": \"b\"}') FROM generate_series(1, 20) i",
        "SELECT audiostore.get_object('here', 'k1'), audiostore.head_object('here', 'k2')",
        "CALL audiostore.run('outbox')",
        "SELECT audiostore.get_object('here', 'k1'), audiostore.head_object('here', 'k2')",
        "SELECT audiostore.get_object('here', 'absent')",
        "SELECT count(*) FROM audiostore.list_objects('here')",
        'SELECT count(*) FROM here',
        'SELECT key, 1 / (length(key) - 2) FROM here ORDER BY key DESC',
        'SELECT 1 / 0 FROM here');
    like($output, qr/raised by PostgreSQL.*division by zero/s, 'the statements ran under valgrind') or diag($output);
    is($errors, '', 'valgrind finds nothing of ours lost or misused');
    ($output, $errors) = under_valgrind("SELECT caught('leak')");
    like($errors, qr/definitely lost/, 'as it does where an ereport jumps over C++ frames');
}

done_testing();
