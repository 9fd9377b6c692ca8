# Pages of documentation that do what they say: the SQL of a page is run as it stands, block by block in one psql, on a
# server without a worker, and where a block is followed by a block of output, psql has printed just that.
#
#   Audiostore::Tour::walk($markdown, name => 'tour', directory => '/srv/audio');
#
# `directory` is what the page calls its store's directory; it becomes a temporary one. Blocks ```sql are run, blocks
# ```text are the output of the one before, others are passed over.
package Audiostore::Tour;

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Node;

sub walk {
    my ($markdown, %options) = @_;
    my $name = $options{name};
    my $node = Audiostore::Node->new($name =~ tr/a-z/_/cr, preload => 0);
    $node->safe_psql('postgres', 'DROP EXTENSION audiostore');
    my $root = PostgreSQL::Test::Utils::tempdir();
    my @blocks = blocks($markdown =~ s{\Q$options{directory}\E}{$root}gr);
    cmp_ok(scalar @blocks, '>=', $options{steps} // 1, "$name has its steps");

    my $script = join '', map { "\\echo --- $_\n\\warn --- $_\n$blocks[$_][0]" } 0 .. $#blocks;
    my $out = '';
    IPC::Run::run([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-f', '-' ], '<', \$script, '>&', \$out);
    my %printed = ('', split /^--- (\d+)\n/m, $out);

    foreach my $number (0 .. $#blocks) {
        my ($sql, $expected) = @{ $blocks[$number] };
        my ($first) = $sql =~ /\A(.*?)$/m;
        my $printed = tidy($printed{$number} // '');
        if (defined $expected) {
            is($printed, tidy($expected), "$name prints what it says: $first");
        } else {
            unlike($printed, qr/ERROR/, "$name runs: $first");
        }
    }
    print "$out\n" if $ENV{AUDIOSTORE_SHOW_TOUR};
    $node->stop;
    return;
}

# [sql, output or undef] of each block.
sub blocks {
    my ($markdown) = @_;
    my @blocks;
    while ($markdown =~ /^```(\w+)\n(.*?)^```$/gms) {
        my ($kind, $text) = ($1, $2);
        if ($kind eq 'sql') {
            push @blocks, [ $text, undef ];
        } elsif ($kind eq 'text') {
            $blocks[-1][1] = $text;
        }
    }
    return @blocks;
}

# Without blanks at line ends, empty lines, and where psql says an error came from.
sub tidy {
    my ($text) = @_;
    $text =~ s/^psql:\S+ //mg;
    $text =~ s/[ \t]+$//mg;
    $text =~ s/\n{2,}/\n/g;
    $text =~ s/^--- \d+\n//mg;
    return $text =~ s/\A\n|\n\z//gr;
}

1;
