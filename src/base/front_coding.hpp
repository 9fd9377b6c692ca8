// Sorted strings with what each shares with the one before left out: neighbouring keys of a store mostly differ in
// their ends only. Each string is two numbers, octets shared and octets that follow, in groups of seven bits, then these.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace audiostore {

// Appends strings (sorted in byte order) to `coded` while it stays within `most` octets; at least one. Returns how many.
std::size_t front_code(std::span<const std::string_view> strings, std::size_t most, std::string& coded);

class FrontCodedReader {
 public:
  explicit FrontCodedReader(std::string_view coded) : rest_(coded) {}

  // False at the end, and where the octets are not what front_code() wrote.
  bool next();
  std::string_view current() const { return current_; }
  // After next() returned false: all octets made sense.
  bool complete() const { return rest_.empty() && !broken_; }

 private:
  bool number(std::size_t& value);

  std::string_view rest_;
  std::string current_;
  bool broken_ = false;
};

}  // namespace audiostore
