# docs/station.liq: Liquidsoap plays the segments that are ready, in order, and what it reports arrives.
use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp ();
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Audiostore::HttpServer;
use Audiostore::Node;

plan skip_all => 'liquidsoap is not installed' if system('command -v liquidsoap >/dev/null') != 0;

my $node = Audiostore::Node->new('liquidsoap', settings => {'audiostore.enabled' => 'off'});
my $root = $node->local_store('radio');
my $server = Audiostore::HttpServer->start(sub {
    my ($request) = @_;
    my ($path) = $request->{target} =~ m{^/(final/[-0-9a-z.]+)$};
    return [404, {}, ''] if !defined $path || !-e "$root/$path";
    return [200, {'Content-Type' => 'audio/wav'}, slurp_file("$root/$path")];
});
$node->safe_psql('postgres', "ALTER SERVER radio OPTIONS (ADD public_url '" . $server->url . "')");

# Two seconds of a tone: 16 bits, mono, 44.1 kHz.
sub tone {
    my ($hertz) = @_;
    my $samples = join '', map { pack 's<', 8000 * sin(6.283185307 * $hertz * $_ / 44100) } 0 .. 88199;
    return pack('a4Va4a4VvvVVvva4V', 'RIFF', 36 + length $samples, 'WAVE', 'fmt ', 16, 1, 1, 44100, 88200, 2, 16, 'data', length $samples) . $samples;
}

# The third is broken by the rules, the object of the fourth is missing, the fifth's cannot be fetched.
my @names = qw(first second silent lost absent last);
foreach my $n (0 .. $#names) {
    my $id = sprintf '00000000-0000-0000-0000-%012d', $n + 1;
    my $sound = unpack 'H*', tone(300 + 100 * $n);
    my $passed = $names[$n] eq 'silent' ? 'false' : 'true';
    my $missing = $names[$n] eq 'lost' ? 'now()' : 'NULL';
    my $put = $names[$n] eq 'absent' ? '' : "SELECT audiostore.put_object('radio', 'final/$id.wav', '\\x$sound', 'audio/wav');";
    $node->safe_psql('postgres', <<"SQL");
    INSERT INTO audiostore.assets (id, state, store, storage_path, validation_passed, missing_since)
    VALUES ('$id', 'final', 'radio', 'final/$id.wav', $passed, $missing);
    INSERT INTO audiostore.segments (id, title, state, asset_id, scheduled_at)
    VALUES ('$id', '$names[$n] "quoted", it''s', 'ready', '$id', now() + $n * interval '1 minute');
    $put
SQL
}
$node->run_until_drained;

my $dir = File::Temp->newdir;
my $script = dirname(__FILE__) . '/../../docs/station.liq';
my $pid = fork // die "fork: $!";
if ($pid == 0) {
    ($ENV{PGHOST}, $ENV{PGPORT}, $ENV{PGDATABASE}) = ($node->host, $node->port, 'postgres');
    $ENV{STATION_FILE} = "$dir/station.ogg";
    $ENV{HOME} = "$dir";
    open STDOUT, '>', "$dir/log";
    open STDERR, '>&', \*STDOUT;
    exec 'liquidsoap', $script or POSIX::_exit(1);
}

my $deadline = time + 120;
my $ever_two = 0;
my $aired = '';
while (time < $deadline && waitpid($pid, POSIX::WNOHANG()) == 0) {
    my $airing;
    ($aired, $airing) = split /\|/, $node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE state = 'aired'), count(*) FILTER (WHERE state = 'airing') FROM audiostore.segments");
    $ever_two++ if $airing > 1;
    last if $aired == 3;
    sleep 0.1;
}
kill 'TERM', $pid;
waitpid $pid, 0;
is($aired, 3, 'three segments were aired') or diag(slurp_file("$dir/log"));
is($ever_two, 0, 'never two at once');
is($node->safe_psql('postgres', "SELECT string_agg(split_part(title, ' ', 1), ' ' ORDER BY airing_at) FROM audiostore.segments WHERE state = 'aired'"),
    'first second last', 'in airing order, without what must not be aired');
is($node->safe_psql('postgres', "SELECT count(*) FROM audiostore.segments WHERE aired_at - airing_at BETWEEN '1 second' AND '20 seconds'"),
    '3', 'and reported when they began and ended');
is($node->safe_psql('postgres', "SELECT string_agg(state, ' ') FROM audiostore.segments WHERE title NOT SIMILAR TO '(first|second|last)%'"),
    'ready ready ready', 'the others are as they were');
cmp_ok(-s "$dir/station.ogg", '>', 10000, 'the stream has sound');

$node->stop;
done_testing();
