# docs/costs.md and docs/monitoring.md do what they say.
use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Tour;

my $before = <<'SQL';
```sql
CREATE EXTENSION audiostore;
CREATE SERVER media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '/srv/audio');
```
SQL
foreach my $page (qw(costs monitoring)) {
    my $text = slurp_file(dirname(__FILE__) . "/../../docs/$page.md");
    Audiostore::Tour::walk("$before\n$text", name => $page, directory => '/srv/audio', steps => 5);
}
done_testing();
