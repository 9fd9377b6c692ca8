# The report as a reader sees it: well-formed, in a browser, light and dark, narrow and wide, on paper; of a database with
# a lively history and hostile names, and of an empty one; on a standby.
use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Chromium;
use Audiostore::Node;

my $node = Audiostore::Node->new('report', allows_streaming => 1, settings => {'audiostore.enabled' => 'off'});
my $root = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', 'CREATE DATABASE empty');
$node->safe_psql('empty', 'CREATE EXTENSION audiostore');
command_ok(
    ['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-v', "root=$root", '-d', $node->connstr('postgres'), '-f', dirname(__FILE__) . '/report_history.sql'],
    'a lively history');

# As the documentation has it: psql, and a file.
my $log = $PostgreSQL::Test::Utils::log_path;
my %file = map { $_ => "$log/report-$_.html" } qw(busy empty);
sub write_report {
    my ($from, $database, $file) = @_;
    my $connection = $from->connstr($database);
    system("psql -XAtc 'SELECT audiostore.report()' -d \"$connection\" > '$file'") == 0 or die "psql failed: $?";
    return slurp_file($file);
}
my $busy = write_report($node, 'postgres', $file{busy});
my $empty = write_report($node, 'empty', $file{empty});
cmp_ok(length $busy, '<', 250_000, 'a page, however much there is');

SKIP: {
    my ($xmllint) = grep { -x } map { "$_/xmllint" } split /:/, $ENV{PATH};
    skip 'xmllint is not installed', 2 unless $xmllint;
    command_ok([$xmllint, '--noout', '--nonet', $file{$_}], "$_: well-formed") foreach qw(busy empty);
}

# What the page says is what the tables say: figures by other statements than the page's own.
subtest 'figures' => sub {
    my $count = sub { my $text = reverse shift; $text =~ s/(\d{3})(?=\d)/$1,/g; return scalar reverse $text; };
    my $bytes = sub {
        my ($number, @units) = (shift, qw(kB MB GB TB PB));
        return "$number B" if $number < 999.5;
        my $unit;
        do { $number /= 1000; $unit = shift @units; } while $number >= 999.5;
        return sprintf('%.*f', $number < 9.995 ? 2 : $number < 99.95 ? 1 : 0, $number) . " $unit";
    };
    my $text = sub {
        my ($part) = @_;
        $part =~ s{<span class="name"[^>]*>.*?</span>|<svg.*?</svg>}{}gs;
        $part =~ s/<[^>]*>//g;
        my %of = (amp => '&', lt => '<', gt => '>', quot => '"');
        $part =~ s/&(?:#39|(\w+));/defined $1 ? $of{$1} : "'"/ge;
        return $part;
    };
    my %section = $busy =~ m{<section id="(\w+)">(.*?)</section>}gs;
    # The cells of the row of a section that begins with these.
    my $row = sub {
        my ($id, @begins) = @_;
        foreach my $line ($section{$id} =~ m{<tr>(.*?)</tr>}gs) {
            my @cells = map { $text->($_) } $line =~ m{<t[hd][^>]*>(.*?)</t[hd]>}gs;
            return \@cells if join("\n", @cells[ 0 .. $#begins ]) eq join("\n", @begins);
        }
        return [];
    };
    my $ask = sub { return split /\|/, $node->safe_psql('postgres', $_[0]); };

    my ($media) = $ask->(q{SELECT (SELECT count(*) FROM recordings WHERE state <> 'gone')
        + (SELECT count(*) FROM audiostore.audio_uploads WHERE store = 'media' AND status <> 'deleted')
        + (SELECT count(*) FROM audiostore.temporary_objects WHERE store = 'media' AND state IN ('leased', 'promoting', 'failed'))});
    is($row->('storage', 'media local', 'STANDARD')->[2], $count->($media), 'objects of a store');
    my ($number, $size) = $ask->(q{SELECT count(*), sum(bytes) FROM "previews ""of"" things"});
    is_deeply([ @{ $row->('storage', 'cold s3') }[ 2, 3 ] ], [ $count->($number), $bytes->($size) ], 'and bytes');

    my ($all) = $ask->(q{SELECT sum(bytes) FROM audiostore.storage_samples WHERE sampled_at = (SELECT max(sampled_at) FROM audiostore.storage_samples)});
    my ($drawn) = $section{growth} =~ m{<figcaption>(.*?)</figcaption>}s;
    like($text->($drawn), qr/^All stores\Q@{[ $bytes->($all) ]}\E/, 'the last accounting');
    my ($now, $day) = $ask->(q{SELECT bytes, bytes_per_day FROM audiostore.storage_growth_trend('30 days', '{30}') WHERE store = 'media'});
    is_deeply([ @{ $row->('growth', 'media') }[ 2, 4, 5 ] ], [ map { $bytes->($now + $_ * $day) } 0, 30, 90 ], 'where it goes');
    my ($cost) = $ask->(q{SELECT forecast_cost FROM audiostore.storage_growth_trend('30 days', '{90}') WHERE store = 'cold'});
    is($row->('growth', 'cold')->[6], sprintf('%.2f USD', $cost), 'and what that costs');

    my ($hits, $misses, $puts) = $ask->(q{SELECT sum(hits), sum(misses), sum(puts) FROM audiostore.cache_counters WHERE hour >= now() - interval '30 days'});
    like($text->($section{cache}), qr/\Q@{[ $count->($puts) ]}\E entries were put/, 'puts of the cache');
    like($section{cache}, qr/<strong>\Q@{[ $count->($hits + $misses) ]}\E</, 'lookups');
    my ($rate) = $section{cache} =~ m{<strong>([\d.]+) %};
    cmp_ok(abs($rate - 100 * $hits / ($hits + $misses)), '<', 0.06, 'hit rate');

    my ($near, $full, $of) = $ask->(q{SELECT count(*) FILTER (WHERE used >= 0.8), count(*) FILTER (WHERE used >= 1), count(*) FROM (
        SELECT greatest((current_storage_bytes + reserved_bytes)::float8 / max_storage_bytes, current_file_count::float8 / max_file_count,
            monthly_uploads::float8 / max_monthly_uploads) AS used FROM audiostore.storage_quotas) q});
    like($text->($section{quotas}), qr/(?<!\d)$near of $of quotas are used to 80 % or more, $full in full/, 'quotas near their limits');
    my ($used, $most, $files, $most_files) = $ask->(q{SELECT current_storage_bytes + 300000000, max_storage_bytes, current_file_count + 1, max_file_count
        FROM audiostore.storage_quotas q, audiostore.workspaces w WHERE w.id = q.workspace_id AND w.name = 'Night Radio'});
    is_deeply([ @{ $row->('quotas', 'Night Radio') }[ 2, 3 ] ],
        [ $bytes->($used) . ' of ' . $bytes->($most), $count->($files) . ' of ' . $count->($most_files) ], 'a quota');

    is_deeply([ @{ $row->('policies', '1 expiry') }[ 5, 6 ] ], [ '4,210', '12.3 GB' ], 'what a policy did');
    like($row->('policies', '3 retention')->[4], qr/, 3 passed over: /, 'and could not do');

    foreach my $kind (qw(put delete)) {
        my @queued = $ask->(qq{SELECT count(*) FILTER (WHERE not_before <= now()), count(*) FILTER (WHERE not_before > now()), 0
            FROM audiostore.operations WHERE state = 'pending' AND store = 'media' AND kind = '$kind'});
        is_deeply([ @{ $row->('queue', 'media', $kind) }[ 2 .. 4 ] ], [ map { $count->($_) } @queued ], "queued: $kind");
    }
    my ($dead) = $ask->(q{SELECT count(*) FROM audiostore.dead_operations WHERE store LIKE 'it%' AND kind = 'delete'});
    is($row->('queue', q{it's "quoted" <b>&amp;}, 'delete')->[2], $dead, 'dead');

    foreach my $finding (qw(orphaned_object unfinished_upload)) {
        my ($open, $sum) = $ask->(qq{SELECT count(*), sum(size) FROM audiostore.audit_findings WHERE finding = '$finding' AND resolution IS NULL});
        is_deeply([ @{ $row->('audits', $finding, 'media') }[ 2, 3 ] ], [ $open, $bytes->($sum) ], "open: $finding");
    }
    is_deeply([ @{ $row->('jobs', 'audio_finalize') }[ 1 .. 4 ] ],
        [ $ask->(q{SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'running'),
            count(*) FILTER (WHERE state = 'done' AND finished_at >= now() - interval '30 days'), count(*) FILTER (WHERE state = 'dead')
            FROM audiostore.jobs WHERE job_type = 'audio_finalize'}) ], 'jobs');
    foreach my $state (qw(failed leased)) {
        my ($temporary) = $ask->("SELECT count(*) FROM audiostore.temporary_objects WHERE store = 'media' AND state = '$state'");
        is($row->('temporary', 'media', $state)->[2], $temporary, "temporary objects: $state");
    }
    my ($runs, $failed, $rows) = $ask->(q{SELECT count(*), count(error), sum(rows) FROM audiostore.runs
        WHERE task = 'accounting' AND started_at >= now() - interval '30 days'});
    is_deeply([ @{ $row->('runs', 'accounting') }[ 1 .. 3 ] ], [ map { $count->($_) } $runs, $failed, $rows ], 'runs');
};

# A table of millions is estimated; its figure is near the truth, and the page says what it is.
$node->safe_psql('postgres', q{
    CREATE TABLE large (path text, bytes bigint, filler text) PARTITION BY RANGE (bytes);
    CREATE TABLE large_1 PARTITION OF large FOR VALUES FROM (0) TO (5000) WITH (autovacuum_enabled = off);
    CREATE TABLE large_2 PARTITION OF large FOR VALUES FROM (5000) TO (1000000) WITH (autovacuum_enabled = off);
    SELECT audiostore.track('large', 'path', 'media', size_column => 'bytes', live_when => 'bytes % 10 < 8');
    ALTER TABLE large_1 DISABLE TRIGGER ALL;
    ALTER TABLE large_2 DISABLE TRIGGER ALL;
    INSERT INTO large SELECT 'l/' || n, 1000 + n % 10000, repeat('x', 1900) FROM generate_series(1, 170000) n;
    DELETE FROM audiostore.storage_samples;});
my ($about) = $node->safe_psql('postgres', 'SELECT audiostore.report()') =~ m{about ([\d,]+) objects};
$about =~ tr/,//d;
my $truth = $node->safe_psql('postgres', 'SELECT sum(objects) FROM audiostore.storage_cost()');
cmp_ok(abs($about / $truth - 1), '<', 0.1, "an estimate of $about for $truth");

# A standby has the same report.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
my $there = write_report($standby, 'postgres', "$log/report-standby.html");
like($there, qr{<span>a standby</span>}, 'a standby says so');
my $sections = sub { return [$_[0] =~ /<section id="(\w+)"/g]; };
is_deeply($sections->($there), $sections->($busy), 'with the same sections');
$standby->stop;
$node->stop;

my $chromium = Audiostore::Chromium->new;
SKIP: {
    skip 'Chromium is not installed', 1 unless $chromium;

    # First that the eyes are open: a page that does what none should.
    my $bad = "$log/report-bad.html";
    append_to_file($bad, q{<!DOCTYPE html><title>bad</title><p style="color:#999;background:#fff">pale</p>
        <div style="width:900px">far too wide for a telephone<img src="http://elsewhere.example/x.png"></div>
        <script>document.title = 'owned'; console.error('complaint')</script>});
    my $seen = $chromium->look($bad);
    is($seen->{narrow}{title}, 'owned', 'control: a script runs');
    cmp_ok($seen->{narrow}{scroll}, '>', 400, 'control: what is too wide is seen');
    cmp_ok(scalar @{$seen->{wide}{pale}}, '==', 1, 'control: so is a pale text');
    cmp_ok(scalar(grep { /complaint/ } $chromium->console), '>=', 1, 'control: so are complaints');
    cmp_ok(scalar(grep { m{^http://elsewhere\.example/} } $chromium->requests), '==', 1, 'control: and requests');

    foreach my $which (qw(busy empty)) {
        foreach my $scheme (qw(light dark)) {
            my $page = $chromium->look($file{$which}, dark => $scheme eq 'dark');
            is_deeply([$chromium->console], [], "$which, $scheme: no complaint in the console");
            is_deeply([grep { m{//elsewhere|example} || !/google|gstatic/ } $chromium->requests], [], "$which, $scheme: no request");
            my ($red) = $page->{wide}{paper} =~ /(\d+)/;
            ok($scheme eq 'dark' ? $red < 64 : $red > 224, "$which, $scheme: it is $scheme");
            foreach my $size (qw(narrow wide)) {
                my $at = $page->{$size};
                my $name = "$which, $scheme, $size";
                cmp_ok($at->{texts}, '>', 20, "$name: texts");
                cmp_ok($at->{scroll}, '<=', $at->{width}, "$name: fits");
                is_deeply($at->{wide}, [], "$name: nothing sticks out");
                is_deeply($at->{cut}, [], "$name: nothing is cut");
                is_deeply($at->{pale}, [], "$name: contrast of 4.5 and more");
                is($at->{unnamed}, 0, "$name: every drawing has a name");
                is_deeply([@$at{qw(scripts images)}], [0, 0], "$name: no scripts, nothing embedded");
                like($at->{title}, qr/^audiostore report: (?:postgres|empty)$/, "$name: its own title");
                if ($which eq 'busy') {
                    cmp_ok($at->{charts}, '>=', 6, "$name: charts");
                    cmp_ok(scalar @{$at->{sections}}, '>=', 11, "$name: sections");
                }
                my $width = $size eq 'narrow' ? 400 : 1400;
                my $height = $which eq 'empty' ? 2000 : $size eq 'narrow' ? 15000 : 7000;
                ok($chromium->screenshot($file{$which}, "$log/report-$which-$scheme-$width.png", width => $width, height => $height,
                        dark => $scheme eq 'dark'), "$name: picture");
            }
        }
    }
    ok($chromium->print_pdf($file{busy}, "$log/report-busy.pdf"), 'on paper');
}

done_testing();
