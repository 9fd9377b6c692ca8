// The keys that a statement's rows hold, by store: copied out of the rows, sorted in byte order, each once, with the
// number of rows that had it.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tracking/row.hpp"

namespace audiostore::tracking {

class Keys {
 public:
  struct Group {
    std::string store;
    std::vector<std::string_view> keys;
    std::vector<std::uint32_t> rows;  // for each key; after settle()
  };

  void add(const LiveKey& live);
  std::size_t size() const { return size_; }
  void clear();

  // Sorts and removes duplicates.
  void settle();
  // After settle() of both: takes out what the other one holds too.
  void subtract(const Keys& other);
  std::span<const Group> groups() const { return groups_; }

 private:
  Group& group_of(std::string_view store);

  // Enough for the key of a single row.
  alignas(std::max_align_t) std::byte first_[512] = {};
  std::pmr::monotonic_buffer_resource bytes_{first_, sizeof(first_)};
  std::vector<Group> groups_;
  std::size_t last_ = 0;  // group added to last
  std::size_t size_ = 0;
};

// Sorts in byte order. Keys tend to share a long beginning, so eight octets behind it decide nearly always.
void sort_keys(std::vector<std::string_view>& keys);

}  // namespace audiostore::tracking
