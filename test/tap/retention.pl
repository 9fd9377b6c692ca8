# Retention by the worker: killed in the middle again and again, with rows and tables that others have locked.
use strict;
use warnings;

use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::Node;

my $node = Audiostore::Node->new('retention', settings => { restart_after_crash => 'on' });
$node->local_store('media');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# undef while the server does not take connections.
sub ask {
    my ($query) = @_;
    my ($out, $err);
    my $ok = IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $query ], '<', \'', '>', \$out, '2>', \$err);
    chomp $out;
    return $ok ? $out : undef;
}

sub wait_for {
    my ($query, $what) = @_;
    $node->poll_query_until('postgres', $query) or die $what;
    return;
}

sql(q{CREATE TABLE assets (id integer PRIMARY KEY, path text, size bigint, made timestamptz);
    CREATE INDEX assets_made ON assets (made);
    SELECT audiostore.track('assets', 'path', store => 'media', size_column => 'size');
    INSERT INTO assets SELECT n, 'a/' || n, 10, now() - n * interval '1 hour' FROM generate_series(1, 60000) n;
    ANALYZE assets});

# ---- kills --------------------------------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', 'audiostore.enabled = off');
$node->reload;
wait_for("SELECT audiostore.worker_state() = 'disabled'", 'the worker does not leave');
my $few = sql(q{SELECT audiostore.add_retention_policy('assets', '59900 hours', 'made')});
my $scans = sql("SELECT pg_stat_get_numscans('assets_made'::regclass)");
is(sql("SELECT rows, bytes FROM audiostore.preview_policy($few)"), '101|1010', 'the preview counts rows and their bytes');
wait_for("SELECT pg_stat_get_numscans('assets_made'::regclass) > $scans", 'the preview does not use the index');
pass('with the index');
sql("SELECT audiostore.remove_policy($few)");

sql(q{CREATE TABLE segments (asset integer REFERENCES assets); INSERT INTO segments SELECT n * 1000 FROM generate_series(1, 60) n});
my $policy = sql(q{SELECT audiostore.add_retention_policy('assets', '20000 hours', 'made', schedule => '1 second')});
$node->append_conf('postgresql.conf', 'audiostore.enabled = on');
$node->reload;
my %killed;
for (1 .. 3000) {
    my $pid = ask("SELECT claimed_by FROM audiostore.policies WHERE id = $policy AND leased_until > now()");
    my $left = ask("SELECT count(*) FROM assets WHERE made < now() - interval '20000 hours'") // next;
    last if $left <= 41 || keys %killed >= 4;
    # Not before it has got somewhere: each process shall do its part.
    $killed{$pid} = 1 if $pid && !$killed{$pid} && kill 'KILL', $pid;
    sleep 0.05;
}
note 'killed ' . keys %killed;
cmp_ok(scalar keys %killed, '>=', 1, 'the worker was killed in the middle of a run');
wait_for("SELECT last_result = 'done' AND last_kept = 41 FROM audiostore.policy_status WHERE id = $policy", 'the policy does not end');
is(sql(q{SELECT count(*), count(*) FILTER (WHERE id % 1000 <> 0) FROM assets WHERE made < now() - interval '20001 hours'}), '40|0',
    'the old rows are gone, but for those that something refers to');
is(sql('SELECT count(*) FROM assets WHERE id < 20000'), '19999', 'the others are not');
like(sql("SELECT last_row_error FROM audiostore.policy_status WHERE id = $policy"), qr/foreign key/, 'the status says why');
ok($node->wait_until_drained(120), 'and all their objects');
is(sql("SELECT count(*) FROM audiostore.alerts WHERE name = 'policy_failed' AND cleared_at IS NULL"), '0', 'no alert is left');

# ---- locks --------------------------------------------------------------------------------------------------------

sql("SELECT audiostore.alter_policy($policy, after => '10000 hours', schedule => '1 hour', enabled => false);
     UPDATE audiostore.policies SET last_finished_at = NULL");
sql("BEGIN; SELECT FROM assets WHERE id = 15001 FOR UPDATE; PREPARE TRANSACTION 'row'");
sql("SELECT audiostore.alter_policy($policy, enabled => true)");
wait_for("SELECT last_result = 'done' FROM audiostore.policy_status WHERE id = $policy", 'the policy waits for a row');
is(sql("SELECT string_agg(id::text, ',') FROM assets WHERE id BETWEEN 15000 AND 15999"), '15000,15001', 'a row that is locked is left alone');
sql("ROLLBACK PREPARED 'row'");
sql("SELECT audiostore.run_policy($policy)");
wait_for("SELECT NOT EXISTS (SELECT FROM assets WHERE id = 15001)", 'it does not go later');
pass('until the next run');

sql("BEGIN; LOCK TABLE assets IN SHARE ROW EXCLUSIVE MODE; PREPARE TRANSACTION 'table'");
sql("SELECT audiostore.run_policy($policy)");
wait_for("SELECT last_result = 'failed' AND state <> 'running' FROM audiostore.policy_status WHERE id = $policy", 'the policy waits for a table');
like(sql("SELECT last_error FROM audiostore.policy_status WHERE id = $policy"), qr/lock timeout/, 'nor does it wait for a table');
sql("SELECT audiostore.delete_object('media', 'another')");
ok($node->wait_until_drained, 'the worker does its other work');
sql("ROLLBACK PREPARED 'table'");
sql("SELECT audiostore.run_policy($policy)");
wait_for("SELECT last_result = 'done' FROM audiostore.policy_status WHERE id = $policy", 'the policy does not recover');
is(sql("SELECT count(*) FROM audiostore.alerts WHERE name = 'policy_failed' AND cleared_at IS NULL"), '0', 'and then it goes on');

# ---- privileges of the functions ----------------------------------------------------------------------------------

sql(q{CREATE ROLE owner; CREATE SCHEMA theirs AUTHORIZATION owner; SET ROLE owner;
    CREATE TABLE theirs.t (id integer, made timestamptz);
    INSERT INTO theirs.t SELECT n, now() - interval '2 days' FROM generate_series(1, 10) n;
    CREATE FUNCTION theirs.who() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO theirs.seen VALUES (current_user, current_setting(''search_path'')); RETURN OLD; END';
    CREATE TABLE theirs.seen (who text, path text);
    CREATE TRIGGER who BEFORE DELETE ON theirs.t FOR EACH ROW EXECUTE FUNCTION theirs.who();
    SELECT audiostore.add_retention_policy('theirs.t', '1 day', 'made')});
wait_for('SELECT NOT EXISTS (SELECT FROM theirs.t)', 'rows of another role do not go');
is(sql('SELECT DISTINCT who, path FROM theirs.seen'), 'owner|pg_catalog, pg_temp', 'the worker acts as the owner of the policy');

$node->stop;
done_testing();
