// Which keys an audit looks at, and how they are cut into ranges of about equal size. Pure.
//
// What would surprise you: a prefix means a folder. `images` is no user's way to ask for images2/, so a slash goes
// behind it; who means every key that begins so says images*.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace audiostore::audit {

// The bytes with which keys begin.
inline std::string key_prefix(std::string_view given) {
  std::string prefix(given);
  if (prefix.empty() || prefix.back() == '/') return prefix;
  if (prefix.back() == '*') {
    prefix.pop_back();
  } else {
    prefix += '/';
  }
  return prefix;
}

// Keys with a prefix, greater than `after`, up to and with `until`.
struct KeySpan {
  std::string prefix;
  std::string after;
  std::optional<std::string> until;  // none: to the end

  // Nothing that sorts behind this key can be in the span.
  bool ends_before(std::string_view key) const {
    return (until && *until < key) || (key > prefix && !key.starts_with(prefix));
  }
  bool contains(std::string_view key) const { return key > after && key.starts_with(prefix) && !ends_before(key); }
  bool operator==(const KeySpan&) const = default;
};

// A key, and how many keys lie between it and the one before: a bound of a histogram.
struct Milestone {
  std::string key;
  double keys = 0;
};

struct Cut {
  std::size_t most_spans = 1;
  double least_keys = 0;  // in a span: smaller ones are not worth a listing of their own
};

// Cuts the keys with this prefix where the milestones say that equal numbers of keys lie on both sides.
inline std::vector<KeySpan> cut(std::string_view prefix, std::vector<Milestone> milestones, const Cut& how) {
  std::erase_if(milestones,
                [&](const Milestone& milestone) { return !std::string_view(milestone.key).starts_with(prefix); });
  std::sort(milestones.begin(), milestones.end(),
            [](const Milestone& a, const Milestone& b) { return a.key < b.key; });
  double all = 0;
  for (Milestone const& milestone : milestones) all += milestone.keys;
  double const wanted = how.least_keys > 0 ? all / how.least_keys : all;
  double const spans_wanted = std::clamp(wanted, 1.0, static_cast<double>(std::max<std::size_t>(how.most_spans, 1)));
  auto const count = static_cast<std::size_t>(spans_wanted);
  std::vector<KeySpan> spans{{.prefix = std::string(prefix), .after = {}, .until = {}}};
  double passed = 0;
  for (Milestone const& milestone : milestones) {
    passed += milestone.keys;
    double const share = all * static_cast<double>(spans.size()) / static_cast<double>(count);
    bool const beyond = milestone.key > spans.back().after && !milestone.key.empty();
    if (spans.size() >= count || passed < share || !beyond) continue;
    spans.back().until = milestone.key;
    spans.push_back({.prefix = std::string(prefix), .after = milestone.key, .until = {}});
  }
  return spans;
}

}  // namespace audiostore::audit
