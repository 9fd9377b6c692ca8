// Which objects of a page of a listing are due to go. Pure. What would surprise you: the listing is not trusted. A key
// outside the prefix, or an object without a time, would be deleted on the word of a broken store, so neither counts.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace audiostore::lifecycle {

struct ExpiryRule {
  std::string_view prefix;
  TimePoint before;  // last written before
};

// Views into the page, in byte order of the key, each key once.
inline std::vector<const store::ObjectInfo*> expired_of(const store::ListPage& page, const ExpiryRule& rule) {
  std::vector<const store::ObjectInfo*> found;
  for (store::ObjectInfo const& object : page.objects) {
    bool const dated = object.last_modified != TimePoint{};
    if (dated && object.last_modified < rule.before && object.key.starts_with(rule.prefix)) found.push_back(&object);
  }
  std::sort(found.begin(), found.end(), [](auto const* a, auto const* b) { return a->key < b->key; });
  auto const same = [](auto const* a, auto const* b) { return a->key == b->key; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

}  // namespace audiostore::lifecycle
