// What this process knows of audiostore.tracked_columns and of the tables below each tracked one. It is read once
// and kept until a relcache invalidation names one of these tables; whoever holds a copy may go on using it.
//
// What would surprise you: "members" are all relations whose rows are tracked, partitions and inheritance children
// included, though tracked_columns names only the table that track() was called for.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pg/pg.hpp"
#include "tracking/column.hpp"

namespace audiostore::tracking {

// A tracked column as it applies to one member.
struct Tracking {
  std::shared_ptr<const TrackedColumn> column;
  mutable std::shared_ptr<const CompiledColumn> compiled;  // made on first use
  // What monitor::rows_added() said before this member was found without any row; 0: it may have some.
  mutable std::uint64_t empty_since = 0;

  // For this member, which the caller has open.
  const CompiledColumn& compile(Relation relation) const;
};

struct Member {
  Oid relation = InvalidOid;
  char kind = RELKIND_RELATION;
  std::vector<Tracking> trackings;

  bool has_rows() const { return kind == RELKIND_RELATION; }
};

class Registry {
 public:
  // The state that the latest committed transaction and this one left. Needs a transaction.
  static std::shared_ptr<const Registry> current();
  // True when the one that current() last returned is out of date.
  static bool stale();
  static void register_callbacks();

  const std::vector<std::shared_ptr<const TrackedColumn>>& columns() const { return columns_; }
  const Member* find(Oid relation) const;
  const std::unordered_map<Oid, Member>& members() const { return members_; }

  // Where rows can hold keys of this store.
  struct Source {
    Oid relation;
    const Tracking* tracking;
  };
  const std::vector<Source>& sources(std::string_view store) const;

 private:
  static std::shared_ptr<Registry> load();
  void add_tree(const std::shared_ptr<const TrackedColumn>& column);

  Oid table_ = InvalidOid;
  std::vector<std::shared_ptr<const TrackedColumn>> columns_;
  std::unordered_map<Oid, Member> members_;
  std::vector<Oid> order_;  // of members_, parents first
  mutable std::map<std::string, std::vector<Source>, std::less<>> sources_;
};

// A relation and everything that inherits from it, parents first; partitions that are being detached included.
std::vector<Oid> relation_tree(Oid root);

// Writing audiostore.tracked_columns. The caller has checked everything.
void add_tracked_column(const TrackedColumn& column);
bool remove_tracked_column(Oid relation, std::string_view key_column);
void replace_tracked_column(std::string_view old_key_column, const TrackedColumn& column);

}  // namespace audiostore::tracking
