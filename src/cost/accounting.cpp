#include "cost/accounting.hpp"

#include "monitor/alerts.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::cost {
namespace {

std::vector<std::int64_t> minimums() {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(
      "SELECT DISTINCT minimum_billable_bytes FROM audiostore.storage_prices WHERE minimum_billable_bytes > 0", {});
  statement.execute({});
  std::vector<std::int64_t> list;
  for (std::size_t i = 0; i < statement.rows().size(); i++) list.push_back(statement.rows().bigint(i, 1));
  return list;
}

// A store and class that had objects at the last look and has none now gets a sample with 0, once.
constexpr const char* kWrite =
    "WITH moment AS (SELECT clock_timestamp() AS now),"
    " priced AS (SELECT * FROM audiostore.priced_usage($1, $2, $3, $4, $5, $6, $7)),"
    " emptied AS ("
    "  SELECT s.store, s.storage_class, s.provider, s.currency FROM audiostore.storage_now s"
    "  WHERE s.objects > 0 AND NOT $8 AND s.store <> ALL ($9)"
    "   AND NOT EXISTS (SELECT FROM priced p WHERE p.store = s.store AND p.storage_class = s.storage_class))"
    " INSERT INTO audiostore.storage_samples"
    "  (store, storage_class, sampled_at, provider, objects, bytes, billable_bytes, monthly_cost, currency, reason)"
    " SELECT p.store, p.storage_class, m.now, p.provider, p.objects_sum, p.bytes_sum, p.billable_bytes, p.monthly_cost,"
    "  p.currency, p.reason FROM priced p, moment m"
    " UNION ALL"
    " SELECT e.store, e.storage_class, m.now, e.provider, 0, 0, 0, 0, e.currency, NULL FROM emptied e, moment m";

struct Columns {
  std::vector<std::string> stores, classes;
  std::vector<std::int64_t> objects, bytes, unsized, padded;
};

Columns columns_of(const std::vector<Usage>& usages) {
  Columns columns;
  for (const Usage& usage : usages) {
    columns.stores.push_back(usage.store);
    columns.classes.push_back(usage.storage_class);
    columns.objects.push_back(usage.objects);
    columns.bytes.push_back(usage.bytes);
    columns.unsized.push_back(usage.unsized);
    columns.padded.insert(columns.padded.end(), usage.padded.begin(), usage.padded.end());
  }
  return columns;
}

void insert_samples(const Census& census) {
  Columns const columns = columns_of(census.result());
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(kWrite, {INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
                                          INT8ARRAYOID, INT8ARRAYOID, BOOLOID, TEXTARRAYOID});
  std::vector<std::string> const left_out(census.left_out().begin(), census.left_out().end());
  statement.execute({pg::bigint_array(census.minimums()), pg::text_array(columns.stores),
                     pg::text_array(columns.classes), pg::bigint_array(columns.objects),
                     pg::bigint_array(columns.bytes), pg::bigint_array(columns.unsized),
                     pg::bigint_array(columns.padded), BoolGetDatum(census.left_out_all()), pg::text_array(left_out)});
}

}  // namespace

TimePoint Accounting::due(std::chrono::seconds interval) {
  return transactions_.run([&] {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    static pg::Statement last("SELECT max(sampled_at) FROM audiostore.storage_samples", {});
    last.execute({});
    return last.rows().null(0, 1) ? TimePoint{} : pg::to_time_point(last.rows().timestamp(0, 1)) + interval;
  });
}

void Accounting::begin() {
  transactions_.run([&] { census_.emplace(minimums()); });
  progress_ = monitor::Running("accounting", {});
  progress_.total(census_->total());
}

void Accounting::abandon() {
  census_.reset();
  progress_.end();
}

std::optional<Accounted> Accounting::step() {
  bool const more = transactions_.run([&] { return census_->step(); });
  progress_.done(census_->done());
  if (more) return std::nullopt;
  Accounted const result = write();
  abandon();
  return result;
}

Accounted Accounting::write() {
  Accounted result{.objects = 0, .bytes = 0, .error = census_->error()};
  Usage total;
  for (const Usage& usage : census_->result()) add(total, usage);
  result.objects = total.objects;
  result.bytes = total.bytes;
  transactions_.run([&] {
    insert_samples(*census_);
    if (result.error.empty()) {
      monitor::clear_alert("accounting_failed", "");
    } else {
      monitor::raise_alert({.name = "accounting_failed", .subject = "", .message = result.error});
    }
  });
  return result;
}

Accounted account_now(pg::Transactions& transactions) {
  Accounting accounting(transactions);
  accounting.begin();
  while (true) {
    if (std::optional<Accounted> const result = accounting.step()) return *result;
  }
}

void thin_samples() {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement old(
      "DELETE FROM audiostore.storage_samples WHERE sampled_at < clock_timestamp() - interval '400 days'", {});
  // Of each day that is more than a week ago, the last sample stays.
  static pg::Statement thin(
      "DELETE FROM audiostore.storage_samples s"
      " WHERE s.sampled_at < date_trunc('day', clock_timestamp() - interval '7 days')"
      "  AND EXISTS (SELECT FROM audiostore.storage_samples l WHERE l.store = s.store"
      "   AND l.storage_class = s.storage_class AND l.sampled_at > s.sampled_at"
      "   AND l.sampled_at < date_trunc('day', s.sampled_at) + interval '1 day')",
      {});
  old.execute({});
  thin.execute({});
}

}  // namespace audiostore::cost
