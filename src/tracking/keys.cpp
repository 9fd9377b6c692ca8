#include "tracking/keys.hpp"

#include <bit>

namespace audiostore::tracking {
namespace {

std::size_t shared_beginning(const std::vector<std::string_view>& keys) {
  std::string_view shared = keys.front();
  for (std::string_view const key : keys) {
    std::size_t const most = std::min(shared.size(), key.size());
    std::size_t same = 0;
    while (same < most && shared[same] == key[same]) same++;
    shared = shared.substr(0, same);
  }
  return shared.size();
}

struct Sortable {
  std::uint64_t decisive;  // octets behind the shared beginning, as a number that orders like them
  std::string_view key;
};

std::uint64_t octets_at(std::string_view key, std::size_t from) {
  std::uint64_t octets = 0;
  std::memcpy(&octets, key.data() + from, std::min<std::size_t>(sizeof(octets), key.size() - from));
  return std::endian::native == std::endian::little ? __builtin_bswap64(octets) : octets;
}

}  // namespace

void sort_keys(std::vector<std::string_view>& keys) {
  if (keys.size() < 2 || std::is_sorted(keys.begin(), keys.end())) return;
  std::size_t const from = shared_beginning(keys);
  std::vector<Sortable> sortable;
  sortable.reserve(keys.size());
  for (std::string_view const key : keys) sortable.push_back({octets_at(key, from), key});
  std::sort(sortable.begin(), sortable.end(), [](const Sortable& a, const Sortable& b) {
    return a.decisive != b.decisive ? a.decisive < b.decisive : a.key < b.key;
  });
  std::transform(sortable.begin(), sortable.end(), keys.begin(), [](const Sortable& item) { return item.key; });
}

void Keys::add(const LiveKey& live) {
  auto* copy = static_cast<char*>(bytes_.allocate(live.key.size(), 1));
  std::memcpy(copy, live.key.data(), live.key.size());
  group_of(live.store).keys.emplace_back(copy, live.key.size());
  size_++;
}

Keys::Group& Keys::group_of(std::string_view store) {
  if (last_ < groups_.size() && groups_[last_].store == store) return groups_[last_];
  for (last_ = 0; last_ < groups_.size(); last_++) {
    if (groups_[last_].store == store) return groups_[last_];
  }
  return groups_.emplace_back(Group{.store = std::string(store), .keys = {}, .rows = {}});
}

void Keys::clear() {
  groups_.clear();
  bytes_.release();
  size_ = 0;
}

void Keys::settle() {
  for (Group& group : groups_) {
    sort_keys(group.keys);
    group.rows.clear();
    group.rows.reserve(group.keys.size());
    std::size_t distinct = 0;
    for (std::string_view const key : group.keys) {
      if (distinct > 0 && group.keys[distinct - 1] == key) {
        group.rows[distinct - 1]++;
      } else {
        group.keys[distinct++] = key;
        group.rows.push_back(1);
      }
    }
    group.keys.resize(distinct);
  }
}

void Keys::subtract(const Keys& other) {
  for (Group& group : groups_) {
    auto const same = std::find_if(other.groups_.begin(), other.groups_.end(),
                                   [&](const Group& candidate) { return candidate.store == group.store; });
    if (same == other.groups_.end()) continue;
    std::size_t left = 0;
    auto other_key = same->keys.begin();
    for (std::size_t i = 0; i < group.keys.size(); i++) {
      while (other_key != same->keys.end() && *other_key < group.keys[i]) ++other_key;
      if (other_key != same->keys.end() && *other_key == group.keys[i]) continue;
      group.keys[left] = group.keys[i];
      group.rows[left++] = group.rows[i];
    }
    group.keys.resize(left);
    group.rows.resize(left);
  }
}

}  // namespace audiostore::tracking
