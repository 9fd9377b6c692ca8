# A policy that never ends keeps no other from running: four of them take all the places, and a fifth still has its turn.
use strict;
use warnings;

use Test::More;

use Audiostore::Node;

my $node = Audiostore::Node->new('policy_turns');
$node->local_store('media');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

sub wait_for {
    my ($query, $what) = @_;
    $node->poll_query_until('postgres', $query) or die $what;
    return;
}

# Rows that are old again as soon as they were changed: there is always a next batch.
sql(q{CREATE SEQUENCE changes;
    CREATE TABLE endless (id integer, n bigint, made timestamptz);
    CREATE INDEX ON endless (made);
    INSERT INTO endless SELECT n % 4, 0, now() - interval '1 day' FROM generate_series(1, 20000) n;
    CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.n := OLD.n + 1; NEW.made := OLD.made + interval ''1 millisecond''; RETURN NEW; END';
    CREATE TRIGGER again BEFORE UPDATE ON endless FOR EACH ROW EXECUTE FUNCTION again();
    CREATE TABLE quick (id integer, made timestamptz);
    CREATE INDEX ON quick (made);
    INSERT INTO quick VALUES (1, now() - interval '1 day')});
sql(qq{SELECT audiostore.add_retention_policy('endless', '1 hour', 'made', 'id = $_', 'set', '{"n": -1}')}) for 0 .. 3;
wait_for(q{SELECT count(*) = 4 FROM audiostore.policy_status WHERE state = 'running'}, 'they do not run');
my $quick = sql(q{SELECT audiostore.add_retention_policy('quick', '1 hour', 'made', schedule => '1 second')});
wait_for('SELECT NOT EXISTS (SELECT FROM quick)', 'the fifth policy never runs');
is(sql(q{SELECT count(*) FROM audiostore.policy_status WHERE relation = 'endless'::regclass AND (state = 'running' OR state = 'due')}),
    '4', 'one had to make room, and none has ended');
# It comes back, and the fifth one does as well.
sql(q{INSERT INTO quick VALUES (2, now() - interval '1 day')});
wait_for('SELECT NOT EXISTS (SELECT FROM quick)', 'the fifth policy runs once and never again');
pass('again and again');
my $changes = sql('SELECT sum(n) FROM endless');
wait_for("SELECT sum(n) > $changes FROM endless", 'the others do not go on');
pass('and the others go on');
wait_for(q{SELECT count(*) = 4 FROM (SELECT DISTINCT task FROM audiostore.runs WHERE task LIKE '%endless' AND (rows > 0 OR finished_at IS NULL)) r},
    'one of them is left out');
sql('SELECT audiostore.delete_object(\'media\', \'x\')');
ok($node->wait_until_drained, 'nor is the outbox held up');

$node->stop;
done_testing();
