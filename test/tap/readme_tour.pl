# The README's tour does what it says.
use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Tour;

my $readme = slurp_file(dirname(__FILE__) . '/../../README.md');
my ($tour) = $readme =~ /^## A tour[^\n]*\n(.*?)^## /ms or BAIL_OUT('the README has no tour');
Audiostore::Tour::walk($tour, name => 'tour', directory => '/srv/audio', steps => 10);
done_testing();
