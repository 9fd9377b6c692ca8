# Tiering by the worker: killed between any two steps, rows that change while their objects move, stores that are gone for
# a while, and the storage classes of a provider that has some.
use strict;
use warnings;

use File::Temp ();
use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep);

use Audiostore::HttpServer;
use Audiostore::Node;

my $node = Audiostore::Node->new('tiering', settings => { restart_after_crash => 'on' });
my $hot = $node->local_store('hot');
my $cold = $node->local_store('cold', max_retry_delay => '500ms');
my %root = (hot => $hot, cold => $cold);

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

sub worker {
    my ($state) = @_;
    $node->append_conf('postgresql.conf', "audiostore.enabled = $state");
    $node->reload;
    wait_for("SELECT audiostore.worker_state() = '" . ($state eq 'on' ? 'running' : 'disabled') . q{'}, "the worker is not $state");
    return;
}

# Every row's object is where the row says, whatever has happened.
sub missing {
    my @missing = grep { my ($store, $key) = split /[|]/; !-f "$root{$store}/$key" }
      split /\n/, ask(q{SELECT store, path FROM files WHERE path <> ''}) // '';
    return "@missing";
}

sub nothing_left {
    return sql(q{SELECT (SELECT count(*) FROM audiostore.moves), (SELECT count(*) FROM audiostore.operation_receipts),
        (SELECT count(*) FROM audiostore.operations)});
}

sql(q{CREATE TABLE files (id integer PRIMARY KEY, store text DEFAULT 'hot', path text, status text DEFAULT 'done',
        made timestamptz DEFAULT now() - interval '2 days', archived_at timestamptz);
    CREATE INDEX ON files (made);
    SELECT audiostore.track('files', 'path', store_column => 'store');
    INSERT INTO files (id, path) SELECT n, 'f/' || n FROM generate_series(1, 1500) n;
    SELECT count(audiostore.put_object('hot', path, convert_to(path, 'UTF8'))) FROM files});
ok($node->wait_until_drained, 'objects are there');

# ---- kills --------------------------------------------------------------------------------------------------------

my $policy = sql(q{SELECT audiostore.add_tiering_policy('files', '1 day', 'made', to_store => 'cold',
    assignments => '{"status": "archived", "archived_at": "now"}', schedule => '1 second')});
my ($killed, $lost, $last) = (0, '', '');
for (1 .. 3000) {
    my $left = ask(q{SELECT count(*) FROM files WHERE store = 'hot'}) // next;
    last if $left == 0;
    my $pid = ask(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker' AND datname = 'postgres'});
    # Wherever it is: with objects queued, copied, or led over.
    if ($killed < 8 && $pid && $left ne $last && kill 'KILL', $pid) {
        $killed++;
        $last = $left;
        $node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
        $lost .= missing();
    }
    sleep 0.02;
}
note "killed $killed times";
cmp_ok($killed, '>=', 3, 'the worker was killed in the middle of it');
is($lost, '', 'no row was ever without its object');
wait_for(q{SELECT NOT EXISTS (SELECT FROM files WHERE store <> 'cold' OR status <> 'archived' OR archived_at IS NULL)}, 'rows stay behind');
ok($node->wait_until_drained, 'all have moved');
wait_for('SELECT NOT EXISTS (SELECT FROM audiostore.moves)', 'moves are left');
is(nothing_left(), '0|0|0', 'nothing is left over');
is_deeply([ $node->files('hot') ], [], 'the old store is empty');
is_deeply([ $node->files('cold') ], [ sort map { "f/$_" } 1 .. 1500 ], 'and the new one has them all, and nothing else');
is(sql(q{SELECT convert_from(audiostore.get_object('cold', 'f/77'), 'UTF8')}), 'f/77', 'they are what they were');

# ---- rows that change meanwhile -----------------------------------------------------------------------------------

worker('off');
sql(q{DELETE FROM files; CALL audiostore.run('outbox')});
sql(q{INSERT INTO files (id, path) SELECT n, 'g/' || n FROM generate_series(1, 6) n;
    SELECT count(audiostore.put_object('hot', path, convert_to(path, 'UTF8'))) FROM files});
sql(q{CALL audiostore.run('outbox')});
sql("SELECT audiostore.alter_policy($policy, schedule => '1 hour')");
sql(q{CALL audiostore.run('policies')});
# Copies are made, and their rows are locked, or deleted by somebody who has not made up their mind.
sql(q{BEGIN; SELECT FROM files WHERE id = 1 FOR UPDATE; UPDATE files SET status = 'x' WHERE id = 4; DELETE FROM files WHERE id = 2;
    DELETE FROM files WHERE id = 3; UPDATE files SET path = 'g/new', status = 'y' WHERE id = 5; PREPARE TRANSACTION 'them'});
sql(q{CALL audiostore.run('outbox')});
is(sql(q{SELECT string_agg(key || ' ' || state, ', ' ORDER BY key) FROM audiostore.policy_moves}),
    'g/1 moved, g/2 moved, g/3 moved, g/4 moved, g/5 moved', 'rows that somebody has locked are waited for');
is(sql(q{SELECT store, status FROM files WHERE id = 6}), 'cold|archived', 'others are not held up');
# While they wait, one object is written again.
sql(q{SELECT audiostore.put_object('hot', 'g/1', 'another')});
sql(q{CALL audiostore.run('outbox')});
sql(q{COMMIT PREPARED 'them'; UPDATE audiostore.moves SET retry_at = now()});
sql(q{CALL audiostore.run('outbox')});
is(sql(q{SELECT string_agg(concat_ws(' ', id, store, path, status), ', ' ORDER BY id) FROM files}),
    '1 hot g/1 done, 4 cold g/4 archived, 5 hot g/new y, 6 cold g/6 archived',
    'a row whose object was written meanwhile stays, deleted ones are gone, one with another object keeps that');
is(nothing_left(), '0|0|0', 'nothing is left over');
is_deeply([ $node->files('hot') ], ['g/1'], 'copies that are nobody\'s are deleted');
is_deeply([ $node->files('cold') ], [ 'g/4', 'g/6' ], 'in the new store');
is(sql(q{SELECT convert_from(audiostore.get_object('hot', 'g/1'), 'UTF8')}), 'another', 'and nothing of what was written is lost');
sql(qq{SELECT audiostore.run_policy($policy)});
sql(q{UPDATE files SET path = NULL WHERE id = 5});
sql(q{CALL audiostore.run()});
is(sql(q{SELECT store FROM files WHERE id = 1}), 'cold', 'it moves the next time');
is(sql(q{SELECT convert_from(audiostore.get_object('cold', 'g/1'), 'UTF8')}), 'another', 'as it is');

# ---- stores that fail ---------------------------------------------------------------------------------------------

worker('on');
rename $cold, "$cold.away" or die $!;
sql(q{INSERT INTO files (id, path) SELECT n, 'h/' || n FROM generate_series(11, 20) n;
    SELECT count(audiostore.put_object('hot', path, convert_to(path, 'UTF8'))) FROM files WHERE id > 10});
sql("SELECT audiostore.run_policy($policy)");
wait_for(q{SELECT count(*) = 10 FROM audiostore.policy_moves}, 'the policy does not run');
wait_for(q{SELECT EXISTS (SELECT FROM audiostore.operations WHERE kind = 'copy' AND (attempts > 0 OR last_error <> ''))
    OR EXISTS (SELECT FROM audiostore.alerts WHERE cleared_at IS NULL)}, 'nothing fails');
is(sql(q{SELECT count(*) FROM files WHERE id > 10 AND (store <> 'hot' OR status <> 'done')}), '0', 'rows do not change before their objects');
sql('DELETE FROM files WHERE id = 20');
rename "$cold.away", $cold or die $!;
sql(q{SELECT audiostore.retry_operation(id) FROM audiostore.operations WHERE state <> 'running' AND kind = 'copy'});
wait_for(q{SELECT count(*) = 9 FROM files WHERE id > 10 AND store = 'cold' AND status = 'archived'}, 'it does not go on');
ok($node->wait_until_drained, 'when the store is back, it goes on');
sql(q{CALL audiostore.run('outbox')});
wait_for('SELECT NOT EXISTS (SELECT FROM audiostore.moves)', 'moves are left');
ok($node->wait_until_drained, 'and ends');
is_deeply([ grep { /^h/ } $node->files('cold') ], [ sort map { "h/$_" } 11 .. 19 ], 'with nothing more than it should');
is_deeply([ $node->files('hot') ], [], 'and nothing left');

# ---- rights -------------------------------------------------------------------------------------------------------

worker('off');
sql(q{CREATE ROLE owner; CREATE SCHEMA theirs AUTHORIZATION owner; GRANT USAGE ON FOREIGN SERVER hot, cold TO owner; SET ROLE owner;
    CREATE TABLE theirs.t (id integer, store text, path text);
    SELECT audiostore.track('theirs.t', 'path', store_column => 'store');
    INSERT INTO theirs.t VALUES (1, 'hot', 't/1'), (2, 'hot', 't/2');
    SELECT audiostore.put_object('hot', 't/1', '1'), audiostore.put_object('hot', 't/2', '2')});
my $theirs = sql(q{SET ROLE owner; SELECT audiostore.add_tiering_policy('theirs.t', NULL, NULL, to_store => 'cold', condition => 'id = 1')});
sql(q{CALL audiostore.run('outbox')});
sql(q{CALL audiostore.run('policies')});
sql('REVOKE USAGE ON FOREIGN SERVER cold FROM owner');
sql(q{CALL audiostore.run('outbox')});
is(sql(q{SELECT store FROM theirs.t WHERE id = 1}), 'hot', 'who has lost the store leads nothing over');
is(nothing_left(), '0|0|0', 'and leaves nothing there');
sql("SELECT audiostore.run_policy($theirs)");
sql(q{CALL audiostore.run()});
like(sql("SELECT last_row_error FROM audiostore.policy_status WHERE id = $theirs"), qr/permission denied/, 'nor queues anything');
sql("SELECT audiostore.remove_policy($theirs)");

# ---- S3: local to Glacier, and classes ----------------------------------------------------------------------------

my $objects = File::Temp->newdir;
my $server = Audiostore::HttpServer->start(sub {
    my ($request) = @_;
    my ($key) = $request->{target} =~ m{^/bucket/([^?]*)};
    my $path = "$objects/" . ($key =~ tr{/}{_}r);
    my %headers = map { lc($_) => $request->{headers}{$_} } keys %{ $request->{headers} };
    if ($request->{method} eq 'PUT') {
        my $class = $headers{'x-amz-storage-class'} // 'STANDARD';
        my $size = length $request->{body};
        if ($headers{'x-amz-copy-source'}) {
            open my $in, '<', $path or return [ 404, {}, '' ];
            (undef, $size) = split ' ', <$in>;
        }
        open my $out, '>', $path or die $!;
        print $out "$class $size";
        close $out;
        return [ 200, { ETag => '"e"' }, $headers{'x-amz-copy-source'}
            ? '<CopyObjectResult><ETag>"e"</ETag><LastModified>2024-01-01T00:00:00.000Z</LastModified></CopyObjectResult>' : '' ];
    }
    if ($request->{method} eq 'HEAD') {
        open my $in, '<', $path or return [ 404, {}, '' ];
        my ($class, $size) = split ' ', <$in>;
        return [ 200, { 'Content-Length' => $size, ETag => '"e"', 'Last-Modified' => 'Mon, 01 Jan 2024 00:00:00 GMT',
            'x-amz-storage-class' => $class }, '' ];
    }
    return [ 204, {}, '' ];
});
my $url = $server->url;
sql(qq{CREATE SERVER glacier FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bucket', region 'r', endpoint '$url',
        addressing 'path', storage_class 'GLACIER');
    CREATE USER MAPPING FOR PUBLIC SERVER glacier OPTIONS (access_key_id 'k', secret_access_key 'hush-hush');
    ALTER SERVER hot OPTIONS (ADD archive_store 'glacier')});
sub class_of { my ($key) = @_; open my $in, '<', "$objects/$key" or return 'none'; my ($class) = split ' ', <$in>; return $class; }

worker('on');
sql(q{CREATE TABLE recordings (id integer, store text, path text, class text, made timestamptz);
    CREATE INDEX ON recordings (made);
    SELECT audiostore.track('recordings', 'path', store_column => 'store');
    INSERT INTO recordings VALUES (1, 'hot', 'r1', 'STANDARD', now() - interval '2 years'), (2, 'glacier', 'r2', NULL, now() - interval '2 years');
    SELECT audiostore.put_object(store::name, path, 'recording') FROM recordings});
ok($node->wait_until_drained, 'recordings are there');
# Row by row what the store can do: a local one has no classes, so its objects move to its archive_store.
$policy = sql(q{SELECT audiostore.add_tiering_policy('recordings', '1 year', 'made', 'archive', assignments => '{"class": "archived"}')});
wait_for(q{SELECT count(*) = 2 FROM recordings WHERE class = 'archived'}, 'recordings are not archived');
is(sql(q{SELECT string_agg(concat_ws(' ', id, store, path), ', ' ORDER BY id) FROM recordings}), '1 glacier r1, 2 glacier r2',
    'one has moved from the local store to S3');
is(class_of('r1'), 'GLACIER', 'with the class that the store has for new objects');
is(class_of('r2'), 'DEEP_ARCHIVE', 'and the other one has changed its class, called as S3 calls it');
ok($node->wait_until_drained, 'and that is all');
is_deeply([ grep { /^r/ } $node->files('hot') ], [], 'the old object is gone');
is(sql(q{SELECT count(*) FROM audiostore.moves}), '0', 'no move is left');

$node->stop;
done_testing();
