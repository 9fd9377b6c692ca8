# Everything in SQL has a comment, and everything that users can name has its place in docs/.
use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Node;

my $docs = dirname(__FILE__) . '/../../docs';
my %page = map { $_ => slurp_file("$docs/$_.md") } qw(functions options);

my $node = Audiostore::Node->new('documentation');
sub lines { my ($query) = @_; return split /\n/, $node->safe_psql('postgres', $query); }

# What the extension consists of, but for what carries no comment by itself: types of tables, constraints' indexes,
# sequences of identity columns, and the like.
is_deeply([lines(q{
    SELECT pg_describe_object(d.classid, d.objid, 0)
    FROM pg_depend d
    LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'audiostore')
        AND t.oid IS NULL AND coalesce(c.relkind <> 'S', true)
        AND obj_description(d.objid, d.classid::regclass::name) IS NULL})],
    [], 'every object of the extension has a comment');
is_deeply([lines(q{
    SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'audiostore' AND c.relkind = 'i' AND obj_description(c.oid, 'pg_class') IS NULL
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)})],
    [], 'so has every index');
is_deeply([lines(q{
    SELECT tgrelid::regclass || '.' || tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = 'audiostore'::regnamespace AND NOT tgisinternal AND tgname NOT LIKE 'zz\_audiostore\_track\_%'
        AND obj_description(pg_trigger.oid, 'pg_trigger') IS NULL})],
    [], 'and every trigger but those that track() makes on any table');

my @names = lines(q{
    SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'audiostore'::regnamespace
    UNION SELECT relname FROM pg_class WHERE relnamespace = 'audiostore'::regnamespace AND relkind IN ('r', 'v', 'p')
    ORDER BY 1});
cmp_ok(scalar @names, '>', 40, 'names of functions, views and tables');
is_deeply([grep { $page{functions} !~ /`(?:CALL )?\Q$_\E\b/ } @names], [], 'all of them are in docs/functions.md');

my @settings = lines(q{SELECT name FROM pg_settings WHERE name LIKE 'audiostore.%' ORDER BY 1});
cmp_ok(scalar @settings, '>=', 5, 'settings');
is_deeply([grep { $page{options} !~ /`\Q$_\E`/ } @settings], [], 'all of them are in docs/options.md');
is_deeply([lines(q{SELECT name FROM pg_settings WHERE name LIKE 'audiostore.%' AND short_desc = ''})], [],
    'and describe themselves');

# The HINT of a refused option names the valid ones.
my @options;
foreach my $server ("provider 'local', root '/tmp/x'", "provider 's3', bucket 'bucket', region 'eu-west-1'") {
    my (undef, undef, $error) =
      $node->psql('postgres', "CREATE SERVER s FOREIGN DATA WRAPPER audiostore OPTIONS ($server, nonsense '1')");
    my ($hint) = $error =~ /HINT:.*? are: (.*)\./;
    push @options, split /, /, $hint // '';
}
my (undef, undef, $error) = $node->psql('postgres', q{
    CREATE SERVER s FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bucket', region 'eu-west-1');
    CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (nonsense '1')});
my ($hint) = $error =~ /HINT:.*? are: (.*)\./;
push @options, split /, /, $hint // '';
cmp_ok(scalar @options, '>', 20, 'options');
is_deeply([grep { $page{options} !~ /`\Q$_\E`/ } @options], [], 'all of them are in docs/options.md');

$node->stop;
done_testing();
