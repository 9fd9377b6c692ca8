// The rows of tables without an index in byte order (most databases sort text by a language), brought into that order
// once for an audit, in a temporary file. In pieces, each in a transaction of its own: a worker has other things to do.
//
// What would surprise you: the file is as old as the audit, and it need not be right. It only says where to look.
#pragma once

#include <map>

#include "audit/tracked_table.hpp"
#include "base/external_sort.hpp"

namespace audiostore::audit {

class SortedRows {
 public:
  explicit SortedRows(std::string prefix) : prefix_(std::move(prefix)) {}

  // A piece of the work, if there is some left; true when the table's rows can be walked.
  bool prepare(TrackedTable& table, Snapshot snapshot);
  void walk(const TrackedTable& table, const KeySpan& span, const RowSink& sink) const;

 private:
  struct Rows {
    ExternalSort sort;
    BlockNumber next = 0;
    bool read = false;
    bool sorted = false;
  };
  using Name = std::pair<Oid, std::string>;

  std::string prefix_;
  std::map<Name, Rows> tables_;
};

}  // namespace audiostore::audit
