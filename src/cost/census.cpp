#include "cost/census.hpp"

#include <algorithm>

#include "pg/identity.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/registry.hpp"

namespace audiostore::cost {
namespace {

// 8 MB in pages of 8 kB: some tens of milliseconds, in which a worker does nothing else.
constexpr BlockNumber kPagesAtOnce = 1024;
// Somebody who changes a table's definition does not hold up everything else that a worker does.
constexpr const char* kLockTimeout = "2s";

void limit_waits() {
  pg::call([] {
    set_config_option("lock_timeout", kLockTimeout, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  });
}

struct Extent {
  BlockNumber pages = 0;  // of the largest part
  BlockNumber parts = 0;  // that hold rows
  std::int64_t all_pages = 0;
  bool by_pages = false;  // all of them can be read from one page to another
};

Extent measure(Oid relation) {
  std::vector<Oid> const tree = tracking::relation_tree(relation);
  std::vector<std::int64_t> const oids(tree.begin(), tree.end());
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(
      "SELECT coalesce(max(pg_relation_size(c.oid)), 0) / current_setting('block_size')::bigint, count(*),"
      " coalesce(bool_and(c.relkind IN ('r', 'm') AND a.amname = 'heap'), true)"
      ", coalesce(sum(pg_relation_size(c.oid)), 0)::bigint / current_setting('block_size')::bigint"
      " FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam WHERE c.oid = ANY ($1::oid[]) AND c.relkind <> 'p'",
      {INT8ARRAYOID});
  statement.execute({pg::bigint_array(oids)});
  pg::Rows const rows = statement.rows();
  return {.pages = static_cast<BlockNumber>(rows.bigint(0, 1)),
          .parts = static_cast<BlockNumber>(rows.bigint(0, 2)),
          .all_pages = rows.bigint(0, 4),
          .by_pages = rows.boolean(0, 3)};
}

}  // namespace

Census::Census(std::vector<std::int64_t> minimums)
    : minimums_(std::move(minimums)), columns_(tracking::Registry::current()->columns()) {
  for (auto const& column : columns_) total_ += measure(column->relation).all_pages;
}

bool Census::step() {
  if (column_ == columns_.size()) return false;
  std::optional<pg::Failure> const failure = pg::attempt([&] {
    pg::Spi const spi;
    limit_waits();
    if (!open_) open();
    count();
  });
  if (failure) fail(failure->message);
  return column_ < columns_.size();
}

void Census::add_to(Sums& sums, const Usage& usage) {
  Usage& sum = sums[{usage.store, usage.storage_class}];
  sum.store = usage.store;
  sum.storage_class = usage.storage_class;
  add(sum, usage);
}

void Census::open() {
  Extent const extent = measure(columns_[column_]->relation);
  stride_ = extent.by_pages ? std::max<BlockNumber>(kPagesAtOnce / std::max<BlockNumber>(extent.parts, 1), 64) : 0;
  end_ = extent.pages;
  parts_ = extent.parts;
  before_ = done_;
  pages_ = extent.all_pages;
  next_ = 0;
  open_ = true;
}

void Census::count() {
  std::optional<Pages> pages;
  // What was added behind the end as it was is counted with the last piece.
  bool const last = stride_ == 0 || end_ - next_ <= stride_;
  if (stride_ != 0) pages = Pages{.first = next_, .end = last ? MaxBlockNumber : next_ + stride_};
  for (const Usage& usage : count_live(*columns_[column_], minimums_, pages)) {
    add_to(current_, usage);
  }
  next_ += stride_;
  done_ = before_ + std::min<std::int64_t>(std::int64_t{next_} * parts_, pages_);
  if (last) next_column();
}

void Census::next_column() {
  for (auto const& [key, usage] : current_) add_to(counted_, usage);
  current_.clear();
  done_ = before_ + pages_;
  column_++;
  open_ = false;
}

void Census::fail(const std::string& why) {
  const tracking::TrackedColumn& column = *columns_[column_];
  error_ =
      "table " + tracking::relation_name(column.relation) + " (" + column.key_column + ") could not be counted: " + why;
  if (column.store_by_row()) {
    failed_anywhere_ = true;
  } else {
    failed_.insert(column.store);
  }
  current_.clear();
  next_column();
}

std::vector<Usage> Census::result() const {
  std::vector<Usage> usages;
  for (auto const& [key, usage] : counted_) {
    if (!failed_anywhere_ && !failed_.contains(usage.store)) usages.push_back(usage);
  }
  return usages;
}

}  // namespace audiostore::cost
