#include "report/sample.hpp"

#include "html/quantity.hpp"
#include "report/facts.hpp"

namespace audiostore::report {
namespace {

constexpr double kReadWhole = 40'000;  // blocks
constexpr double kSample = 8'000;

}  // namespace

Sample sample_of(const char* table) {
  static pg::Statement statement(
      "WITH RECURSIVE tree AS ("
      "    SELECT $1::regclass::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = "
      "tree.oid) "
      "SELECT sum(pg_relation_size(oid) / current_setting('block_size')::int8)::float8 FROM tree",
      {TEXTOID});
  double const blocks = Facts(statement, {pg::text_argument(table)}).number(0, 1);
  return {blocks <= kReadWhole ? 100 : 100 * kSample / blocks};
}

std::string Sample::says() const {
  return "The numbers are estimates: " + html::percent(percent / 100) + " of the table was looked at.";
}

}  // namespace audiostore::report
