# What shared memory knows about pending deletes: whoever needs a key again takes its delete back, however it came into the
# queue and whatever has happened to the server since.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Workers;

my $node = new_server('main',
    init => { allows_streaming => 1 },
    conf => "audiostore.enabled = off\nautovacuum = off\nmax_prepared_transactions = 5\nlog_min_messages = debug1");
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
sub sql { return $node->safe_psql('postgres', $_[0]); }
sql(<<"SQL");
CREATE EXTENSION audiostore;
CREATE SERVER media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '$root');
CREATE TABLE takes (key text PRIMARY KEY);
SELECT audiostore.track('takes', 'key', store => 'media');
SQL

# The keys' deletes are queued; their rows come back; the deletes are gone.
sub is_taken_back {
    my ($what, @keys) = @_;
    my $list = join ', ', map { "'$_'" } @keys;
    my $count = scalar @keys;
    my $pending = "SELECT count(*) FROM audiostore.operations WHERE key IN ($list)";
    is(sql($pending), $count, "$what: queued");
    sql("INSERT INTO takes SELECT unnest(ARRAY[$list])");
    is(sql($pending), '0', "$what: taken back");
    return;
}
sub queue {
    my $list = join ', ', map { "('$_')" } @_;
    sql("INSERT INTO takes VALUES $list");
    sql("DELETE FROM takes WHERE key IN (SELECT * FROM (VALUES $list) v)");
    return;
}
sub restart {
    my ($mode) = @_;
    $node->stop($mode);
    $node->start;
    return;
}

queue('a');
is_taken_back('a delete of this server', 'a');
queue('b', 'c', 'd');
is_taken_back('one of several', 'c');
restart('immediate');
is_taken_back('after a crash', 'b');
restart('fast');
is_taken_back('after a restart', 'd');

queue('e');
sql("INSERT INTO takes VALUES ('f'), ('g')");
sql("BEGIN; DELETE FROM takes WHERE key = 'f'; PREPARE TRANSACTION 'prepared'");
restart('immediate');
is_taken_back('while a delete is prepared', 'e');
sql("COMMIT PREPARED 'prepared'");
is_taken_back('then that one', 'f');

sql("INSERT INTO audiostore.operation_rows (kind, store, key) VALUES ('delete', 'media', 'h')");
is_taken_back('written by SQL', 'h');
sql("SET session_replication_role = replica; INSERT INTO audiostore.operation_rows (kind, store, key) VALUES ('delete', 'media', 'i')");
is_taken_back('by a replica', 'i');
sql("INSERT INTO audiostore.operation_rows (kind, store, key) VALUES ('delete', 'media', 'elsewhere');
    UPDATE audiostore.operation_rows SET key = 'j' WHERE key = 'elsewhere'");
is_taken_back('changed by SQL', 'j');

# A table that was emptied and is full again.
queue('k');
restart('fast');
sql("BEGIN; TRUNCATE audiostore.operation_rows; INSERT INTO takes VALUES ('l'); ROLLBACK");
is_taken_back('after a truncation was rolled back', 'k');
queue('m');
sql('VACUUM FULL audiostore.operation_rows');
is_taken_back('written again', 'm');

# Packs.
my $many = "SELECT 'many ' || i FROM generate_series(1, 3000) i";
my $packed = "INSERT INTO takes $many; DELETE FROM takes WHERE key LIKE 'many %'";
sql("INSERT INTO takes VALUES ('n')");
sql($packed);
cmp_ok(sql('SELECT count(*) FROM audiostore.operation_packs'), '>', 0, 'there are packs');
is_taken_back('in a pack', 'many 1');
restart('immediate');
is_taken_back('in a pack, after a crash', 'many 2');
sql("BEGIN; TRUNCATE audiostore.operation_packs, audiostore.operation_holes; INSERT INTO takes VALUES ('o'); ROLLBACK");
is_taken_back('packs are there again', 'many 3');
sql('CREATE TABLE kept AS TABLE audiostore.operation_packs; TRUNCATE audiostore.operation_packs, audiostore.operation_holes');
sql("INSERT INTO takes VALUES ('p')");
sql('INSERT INTO audiostore.operation_packs TABLE kept');
is_taken_back('packs written by SQL', 'many 4');
sql("DELETE FROM takes; TRUNCATE audiostore.operation_rows, audiostore.operation_packs, audiostore.operation_holes");

# So many deletes that the bits are read anew when most of them are done, while some are neither here nor there.
my $notes = qr/noted which deletes are queued/;
sql(q{DO $$ BEGIN FOR i IN 1..150 LOOP
    INSERT INTO takes SELECT 'one of ' || i || ' ' || j FROM generate_series(1, 950) j;
    DELETE FROM takes WHERE key LIKE 'one of %';
END LOOP; END $$});
sql('DELETE FROM audiostore.operation_rows');
sql('VACUUM FULL audiostore.operation_rows');
sql("INSERT INTO takes VALUES ('q'), ('r')");
sql("BEGIN; DELETE FROM takes WHERE key = 'q'; PREPARE TRANSACTION 'early'");
sql("DELETE FROM takes WHERE key = 'r'");
my $before = log_count($node, $notes);
sql(q{UPDATE audiostore.operation_rows SET not_before = 'infinity'});
sql(q{CALL audiostore.run('outbox')});
is(log_count($node, $notes), $before + 1, 'the queue was read once more');
sql("COMMIT PREPARED 'early'");
is_taken_back('queued before, committed after', 'q');
is_taken_back('queued before', 'r');
queue('t');
is_taken_back('queued after', 't');
sql(q{CALL audiostore.run('outbox')});
is(log_count($node, $notes), $before + 1, 'which is not worth it again');

# A standby is told nothing.
queue('u', 'v');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
queue('w');
$node->wait_for_catchup($standby);
$node->stop('fast');
$standby->promote;
$node = $standby;
is_taken_back('a promoted standby', 'u', 'w');
is_taken_back('again', 'v');
$standby->stop('fast');

done_testing();
