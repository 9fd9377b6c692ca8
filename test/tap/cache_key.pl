# cache_key() against Node.js itself: the same values, read by PostgreSQL and by JSON.parse().
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use Audiostore::Node;

my ($node_js) = grep { -x } map { "$_/node" } split /:/, $ENV{PATH};
plan skip_all => 'node is not installed' unless $node_js;

my $dir = PostgreSQL::Test::Utils::tempdir();
# Prints a line for each case: the five arguments as SQL, and the hash.
PostgreSQL::Test::Utils::append_to_file("$dir/cases.js", <<'JS');
const { createHash } = require('crypto');
let seed = 7;
const random = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
const pieces = ['a', '"', '\\', '\n', '\t', '\b', '\f', '\r', '/', "'", '\u0001', '\u001f', '\u007f', '\u0080', 'é', '\u2028',
  '\u2029', '\ufeff', '\uffff', '😀', '𝄞', 'ß', '日本', ' ', '{', '}', '<', '&', '1'];
const string = () => Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join('');
const numbers = ['0', '-0', '1', '1.0', '-1.50', '1e3', '1E-7', '0.000001', '1e21', '123456789012345678901', '0.1', '1e400',
  '-1e400', '5e-324', '1e-400', '4.35', '9007199254740993', '3.14159265358979', '1.7976931348623157e308', '1e20', '100000000000000000000000'];
const escapes = ['\\u0041', '\\ud83d\\ude00', '\\ud83d', '\\ude00', '\\/', '\\u2028', '\\n', '\\"', '\\\\', '\\u001F', '\\uFFFF', '\\ude00\\ud83d'];
const text = () => '"' + Array.from({ length: random(5) }, () => random(2) ? escapes[random(escapes.length)]
  : JSON.stringify(string()).slice(1, -1)).join('') + '"';
const name = () => random(3) ? '"' + ['2', '10', '1', '01', '-1', '4294967295', '4294967294', 'a', 'b', '__proto__', ''][random(11)] + '"' : text();
const json = (depth) => {
  const kind = random(depth > 3 ? 4 : 6);
  if (kind === 0) return numbers[random(numbers.length)];
  if (kind === 1) return text();
  if (kind === 2) return ['true', 'false', 'null'][random(3)];
  if (kind === 3) return String((random(2000000) - 1000000) / [1, 3, 7, 1000, 1e9][random(5)]);
  const values = Array.from({ length: random(5) }, () => (kind === 4 ? '' : name() + [':', ' : '][random(2)]) + json(depth + 1));
  return kind === 4 ? '[' + values.join(' ,') + ']' : '{ ' + values.join(',\n') + '}';
};
const quote = (s) => s === undefined ? 'NULL' : "'" + s.replace(/'/g, "''") + "'";
for (let i = 0; i < 1500; i++) {
  const maybe = (make) => random(4) ? make() : undefined;
  const key = { text: string(), voiceModelId: maybe(string), sessionId: maybe(string),
    sequenceNumber: maybe(() => random(2) ? random(2147483648) : -random(2147483648)) };
  const settings = maybe(() => json(0));
  if (settings !== undefined) key.settings = JSON.parse(settings);
  const hash = createHash('sha256').update(JSON.stringify(key)).digest('hex');
  const values = [quote(key.text), quote(key.voiceModelId), quote(key.sessionId), key.sequenceNumber ?? 'NULL', quote(settings)];
  console.log(`(${i}, '${hash}', audiostore.cache_key(${values.join(', ')}))` + (i < 1499 ? ',' : ''));
}
JS
my $values = `"$node_js" "$dir/cases.js"`;
is($?, 0, 'node runs');

my $node = Audiostore::Node->new('main');
PostgreSQL::Test::Utils::append_to_file("$dir/cases.sql",
    "SET client_encoding = 'UTF8'; SELECT count(*), count(*) FILTER (WHERE ours = expected), min(i) FILTER (WHERE ours <> expected) FROM (VALUES $values) v (i, expected, ours);");
my ($out, $err) = ('', '');
my $status = $node->psql('postgres', undef, stdout => \$out, stderr => \$err, on_error_stop => 1,
    extra_params => ['-f', "$dir/cases.sql"]);
is($err, '', 'no errors');
is($out, '1500|1500|', 'every key is the one that node computes');

$node->stop;
done_testing();
