# Packs of deletes under trouble: a store that refuses some keys, that is asked again and again; processes that are killed
# while packs are drained; VACUUM FULL meanwhile; a dump that has some.
use strict;
use warnings;

use File::Temp ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::HttpServer;
use Audiostore::Workers;

my $dir = File::Temp->newdir('packs-XXXXXX', TMPDIR => 1);
# Files say how the store behaves: gate (present: it answers), broken (it answers 503 to every request).
sub have { my ($name) = @_; open my $file, '>', "$dir/$name" or die "open: $!"; close $file; return; }
sub have_not { my ($name) = @_; unlink "$dir/$name"; return; }
my $server = Audiostore::HttpServer->start(
    sub {
        my ($request) = @_;
        return [200, {}, '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'] if $request->{method} ne 'POST';
        sleep 0.01 until -e "$dir/gate";
        return [503, {}, '<Error><Code>SlowDown</Code><Message>later</Message></Error>'] if -e "$dir/broken";
        my $refused = '';
        my @keys = $request->{body} =~ m{<Key>([^<]*)</Key>}g;
        open my $asked, '>>', "$dir/asked" or die "open: $!";
        syswrite $asked, join('', map { "$_\n" } @keys);
        close $asked;
        foreach my $key (@keys) {
            my $mark = "$dir/" . ($key =~ tr{/}{_}r);
            if ($key =~ /denied$/) { $refused .= "<Error><Key>$key</Key><Code>AccessDenied</Code><Message>no</Message></Error>"; }
            elsif ($key =~ /flaky$/ && !-e $mark) {
                have($key =~ tr{/}{_}r);
                $refused .= "<Error><Key>$key</Key><Code>InternalError</Code><Message>oops</Message></Error>";
            }
        }
        return [200, {}, "<DeleteResult>$refused</DeleteResult>"];
    });
my $url = $server->url;
my $node = new_server('main', conf => "restart_after_crash = on\nmax_prepared_transactions = 4");
$node->start;
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sql(<<"SQL");
CREATE EXTENSION audiostore;
CREATE SERVER media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bucket', region 'r', addressing 'path',
    endpoint '$url', request_timeout '10min', max_retry_delay '100 ms', max_attempts '50');
CREATE USER MAPPING FOR PUBLIC SERVER media OPTIONS (access_key_id 'k', secret_access_key 's');
CREATE TABLE takes (id integer PRIMARY KEY, key text);
SELECT audiostore.track('takes', 'key', store => 'media');
SQL
wait_for_worker($node, 'postgres');

sub fill {
    my ($count, $ends) = @_;
    return sql("INSERT INTO takes SELECT i, 'take/' || to_char(i, 'FM000000') || CASE $ends ELSE '' END FROM generate_series(1, $count) i");
}
sub empty_queue { return $node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM audiostore.operations'); }
# How often each key was asked for.
sub asked {
    my %times;
    $times{$_}++ foreach split /\n/, slurp_file("$dir/asked");
    return \%times;
}

# ---- errors of single keys inside a reply of success -------------------------------------------------------------

have('gate');
fill(3000, "WHEN i % 700 = 0 THEN 'denied' WHEN i % 500 < 2 THEN 'flaky'");
sql('DELETE FROM takes');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 4 AND bool_and(state = 'dead') FROM audiostore.operations}),
    'what is refused for good is dead, all else is done');
is(sql('SELECT count(*), count(*) FILTER (WHERE last_error ~ $$denied$$), min(attempts), max(attempts) FROM audiostore.dead_operations'),
    '4|4|1|1', 'each with its error');
is(sql('SELECT dead, pending FROM audiostore.status'), '4|0', 'and counted');
is(sql('SELECT bool_and(key_count = 1) FROM audiostore.operation_packs'), 't', 'they are apart from each other');
my $times = asked();
is(scalar(keys %$times), 3000, 'every key was asked for');
is(join(' ', grep { $times->{$_} != (/flaky$/ ? 2 : 1) } sort keys %$times), '', 'once, and twice what failed once');
is(sql(q{SELECT audiostore.retry_operation(min(id)), audiostore.cancel_operation(max(id)) FROM audiostore.dead_operations}), 't|t',
    'one is retried, one cancelled');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 AND bool_and(state = 'dead') FROM audiostore.operations}), 'in vain');
sql(q{INSERT INTO takes SELECT row_number() OVER (), key FROM audiostore.dead_operations});
is(sql('SELECT count(*) FROM audiostore.operations'), '0', 'rows that hold the others take them back');
sql('SET session_replication_role = replica; DELETE FROM takes');

# ---- a store that fails as a whole -------------------------------------------------------------------------------

have('broken');
fill(3000, 'WHEN false THEN NULL');
sql('DELETE FROM takes');
ok($node->poll_query_until('postgres', q{SELECT max(attempts) > 1 FROM audiostore.operations}), 'all keys fail and wait');
is(sql('SELECT count(*), count(DISTINCT key), count(*) FILTER (WHERE state = $$dead$$) FROM audiostore.operations'), '3000|3000|0', 'none is lost');
have_not('broken');
ok(empty_queue(), 'until the store is well again');

# ---- VACUUM FULL while they are on the wire, rows that would come to hold them ------------------------------------

have_not('gate');
fill(3000, 'WHEN false THEN NULL');
sql('DELETE FROM takes');
ok($node->poll_query_until('postgres', "SELECT count(*) = 3000 FROM audiostore.operations WHERE state = 'running'"), 'all deletes are claimed');
my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nINSERT INTO takes VALUES (1, 'take/000007')");
like($error, qr/55006/, 'a row that would come to hold one of their keys is refused');
my $before = sql('SELECT string_agg(ctid::text, $$ $$) FROM audiostore.operation_packs');
sql('VACUUM FULL audiostore.operation_packs');
isnt(sql('SELECT string_agg(ctid::text, $$ $$) FROM audiostore.operation_packs'), $before, 'the packs are elsewhere');
have('gate');
ok(empty_queue(), 'they are settled');
is(log_count($node, qr/ERROR:(?!.*is being deleted)/), 0, 'without an error');

# ---- their files, when all of them are done -----------------------------------------------------------------------

my $files = q{SELECT pg_relation_size('audiostore.operation_packs') + pg_relation_size('audiostore.operation_holes')};
ok($node->poll_query_until('postgres', "$files", '0'), 'what is done leaves no files that statements would have to look through');
fill(3000, 'WHEN false THEN NULL');
sql("BEGIN; DELETE FROM takes; PREPARE TRANSACTION 'writer'");
sql("BEGIN; LOCK TABLE audiostore.operation_holes IN ACCESS SHARE MODE; PREPARE TRANSACTION 'reader'");
sql("INSERT INTO takes SELECT i, 'take/other' || i FROM generate_series(10001, 10002) i");
sql("DELETE FROM takes WHERE id > 10000");
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM audiostore.operations'), 'the worker has looked');
cmp_ok(sql($files), '>', 0, 'packs of a transaction that is prepared stay');
sql("COMMIT PREPARED 'writer'");
ok(empty_queue(), 'and are done when it commits');
sql("INSERT INTO takes VALUES (1, 'take/000001'); DELETE FROM takes");
ok(empty_queue(), 'and so is a row after them');
cmp_ok(sql($files), '>', 0, 'nobody waits for a reader, who keeps the files');
sql("COMMIT PREPARED 'reader'");
ok($node->poll_query_until('postgres', "$files", '0'), 'and then they go');

# ---- kill -9 while packs are drained -----------------------------------------------------------------------------

have_not('gate');
fill(6000, 'WHEN false THEN NULL');
sql('DELETE FROM takes');
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM audiostore.operations WHERE state = 'running'"), 'packs are claimed');
kill 'KILL', sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker'");
have('gate');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM audiostore.operations'),
    'the worker is killed and all others with it; the next one ends it');
is(scalar(grep { /^take\/\d{6}$/ } keys %{ asked() }), 6000, 'with all keys');

have_not('gate');
fill(3000, 'WHEN false THEN NULL');
sql('DELETE FROM takes');
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM audiostore.operations WHERE state = 'running'"), 'packs are claimed');
kill 'KILL', sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
ok($node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'audiostore worker')}),
    'the server starts again');
is(sql('SELECT count(*), count(DISTINCT key) FROM audiostore.operations'), '3000|3000', 'a crash of the server loses none');
ok($node->poll_query_until('postgres', 'SELECT bool_or(in_doubt) FROM audiostore.operations'), 'what was on its way is in doubt');
have('gate');
ok(empty_queue(), 'and done again');

# ---- dump and restore --------------------------------------------------------------------------------------------

sql(q{ALTER SERVER media OPTIONS (ADD delete_grace '1 day')});
fill(3000, 'WHEN false THEN NULL');
sql("DELETE FROM takes; INSERT INTO takes VALUES (1, 'take/000001')");
my $dump = $node->basedir . '/dump.sql';
$node->command_ok(['pg_dump', '-d', $node->connstr('postgres'), '-f', $dump], 'a dump');
sql('CREATE DATABASE restored');
$node->command_ok(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump], 'restored');
my $queue = 'SELECT count(*), min(id), max(id), md5(string_agg(key, $$ $$ ORDER BY id)) FROM audiostore.operations';
is($node->safe_psql('restored', $queue), sql($queue), 'has the same queue');
like(sql($queue), qr/^2999\|/, 'without what was taken back');
is($node->safe_psql('restored', q{SELECT audiostore.delete_object('media', 'x') > max(id) FROM audiostore.operations}), 't', 'and goes on behind it');
$node->stop('fast');

done_testing();
