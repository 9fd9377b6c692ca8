// Which keys a scan has to look at: what conditions on the key leave over, in byte order. What would surprise you: a
// store lists keys strictly after a given one, so a range that includes its lower end begins a little early; the scan
// passes over what comes before it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace audiostore::foreign {

enum class Comparison { equal, like, prefix, at_least, above, at_most, below };

class KeyRange {
 public:
  // Narrows the range: key <comparison> value.
  void add(Comparison comparison, std::string_view value);
  void add_nothing() { empty_ = true; }  // a comparison with NULL

  bool empty() const { return empty_; }
  const std::string& prefix() const { return prefix_; }
  // Where to begin to list: strictly after this key.
  std::string after() const;
  // Nothing that sorts behind this key can be in the range any more.
  bool ends_before(std::string_view key) const;
  bool contains(std::string_view key) const;
  // The range without the prefix, for people: ">= a and < b"; empty when it has no ends.
  std::string text() const;

 private:
  struct End {
    std::string key;
    bool inclusive;
  };
  void add_prefix(std::string_view value);
  void add_lower(std::string_view key, bool inclusive);
  void add_upper(std::string_view key, bool inclusive);
  void add_pattern(std::string_view pattern);

  std::string prefix_;
  std::optional<End> lower_;
  std::optional<End> upper_;
  bool empty_ = false;
};

}  // namespace audiostore::foreign
