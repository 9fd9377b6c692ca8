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
                my $height = $which eq 'empty' ? 1600 : $size eq 'narrow' ? 15000 : 7000;
                ok($chromium->screenshot($file{$which}, "$log/report-$which-$scheme-$width.png", width => $width, height => $height,
                        dark => $scheme eq 'dark'), "$name: picture");
            }
        }
    }
    ok($chromium->print_pdf($file{busy}, "$log/report-busy.pdf"), 'on paper');
}

done_testing();
