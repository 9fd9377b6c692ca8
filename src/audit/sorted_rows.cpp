#include "audit/sorted_rows.hpp"

namespace audiostore::audit {
namespace {

constexpr const char* kTemporaryFiles = "base/pgsql_tmp";
constexpr BlockNumber kBlocksAtOnce = 512;
constexpr std::size_t kRecordsAtOnce = 50'000;

// What the merge wants to know of a row besides its key.
struct Packed {
  std::int64_t size;
  bool has_size;
  bool has_checksum;
};

}  // namespace

bool SortedRows::prepare(TrackedTable& table, Snapshot snapshot) {
  Rows& rows =
      tables_.try_emplace({table.relation(), table.key_column()}, Rows{.sort = ExternalSort(kTemporaryFiles)})
          .first->second;
  if (rows.sorted) return true;
  if (!rows.read) {
    BlockNumber const blocks = table.blocks();
    BlockNumber const left = blocks > rows.next ? blocks - rows.next : 0;
    BlockNumber const count = std::min(left, kBlocksAtOnce);
    table.scan(rows.next, count, snapshot, [&](const FoundRow& row) {
      if (!row.key.starts_with(prefix_)) return true;
      Packed const packed{row.size.value_or(0), row.size.has_value(), !row.checksum.empty()};
      rows.sort.add(row.key, {reinterpret_cast<const char*>(&packed), sizeof packed});
      return true;
    });
    rows.next += count;
    rows.read = count == left;
    return false;
  }
  rows.sorted = rows.sort.work(kRecordsAtOnce);
  return rows.sorted;
}

void SortedRows::walk(const TrackedTable& table, const KeySpan& span, const RowSink& sink) const {
  auto const found = tables_.find({table.relation(), table.key_column()});
  if (found == tables_.end()) return;
  auto reader = found->second.sort.read_after(span.after);
  FoundRow row;
  while (reader.next()) {
    Packed packed{};
    std::memcpy(&packed, reader.value().data(), sizeof packed);
    row.key = reader.key();
    row.size = packed.has_size ? std::optional(packed.size) : std::nullopt;
    row.checksum.assign(packed.has_checksum ? 1 : 0, ' ');
    if (span.ends_before(row.key) || !sink(row)) return;
  }
}

}  // namespace audiostore::audit
