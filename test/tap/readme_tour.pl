# The README's tour does what it says: its SQL is run as it stands, block by block, on a server without a worker, and
# where a block is followed by a block of output, psql has printed just that.
use strict;
use warnings;

use File::Basename qw(dirname);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Node;

my $readme = slurp_file(dirname(__FILE__) . '/../../README.md');
my ($tour) = $readme =~ /^## A tour[^\n]*\n(.*?)^## /ms or BAIL_OUT('the README has no tour');

my $node = Audiostore::Node->new('tour', preload => 0);
$node->safe_psql('postgres', 'DROP EXTENSION audiostore');
my $root = PostgreSQL::Test::Utils::tempdir();

# [sql, output or undef], in one session.
my @blocks;
while ($tour =~ /^```(\w+)\n(.*?)^```$/gms) {
    my ($kind, $text) = ($1, $2);
    if ($kind eq 'sql') {
        push @blocks, [ $text =~ s{/srv/audio}{$root}gr, undef ];
    } elsif ($kind eq 'text') {
        $blocks[-1][1] = $text;
    }
}
cmp_ok(scalar @blocks, '>', 10, 'the tour has its steps');

my $script = join '', map { "\\echo --- $_\n\\warn --- $_\n$blocks[$_][0]" } 0 .. $#blocks;
my $out = '';
IPC::Run::run([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-f', '-' ], '<', \$script, '>&', \$out);
my %printed = ('' , split /^--- (\d+)\n/m, $out);

foreach my $number (0 .. $#blocks) {
    my ($sql, $expected) = @{ $blocks[$number] };
    my ($name) = $sql =~ /\A(.*?)$/m;
    my $printed = tidy($printed{$number} // '');
    if (defined $expected) {
        is($printed, tidy($expected), "prints what it says: $name");
    } else {
        unlike($printed, qr/ERROR/, "runs: $name");
    }
}
print "$out\n" if $ENV{AUDIOSTORE_SHOW_TOUR};
$node->stop;
done_testing();

# Without blanks at line ends, empty lines, and where psql says an error came from.
sub tidy {
    my ($text) = @_;
    $text =~ s/^psql:\S+ //mg;
    $text =~ s/[ \t]+$//mg;
    $text =~ s/\n{2,}/\n/g;
    $text =~ s/^--- \d+\n//mg;
    return $text =~ s/\A\n|\n\z//gr;
}
