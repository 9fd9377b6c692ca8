# Each story in docs/stories does what it says, from CREATE EXTENSION on.
use strict;
use warnings;

use File::Basename qw(basename dirname);
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Tour;

my @pages = sort glob dirname(__FILE__) . '/../../docs/stories/*.md';
cmp_ok(scalar @pages, '>=', 5, 'stories');
foreach my $page (@pages) {
    Audiostore::Tour::walk(slurp_file($page), name => basename($page, '.md'), directory => '/srv/audio', steps => 5);
}
done_testing();
