// Keys made of a template and parameters:
//   {novel}_{title}/chapter_{number}/paragraph_{n}.wav   {title:ascii}: without diacritics   {{ }}: braces themselves
// Pure. The slashes of a key are the template's alone: no value can add a segment, nor make one empty, hidden or "..".
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace audiostore::store {

// A parameter's value in Unicode's normal forms C and KD.
struct KeyParameter {
  std::string composed;
  std::string decomposed;
};
using KeyParameters = std::map<std::string, KeyParameter, std::less<>>;

// What the keys of the store may be, in octets; room for a sidecar's longer name is kept in any case.
struct KeyLimits {
  std::size_t key = 1024;
  std::size_t segment = 255;
};

class KeyTemplate {
 public:
  // Throws Error(invalid_argument) that says what is wrong.
  explicit KeyTemplate(std::string_view text);

  // Throws Error(invalid_argument) that names the parameter: missing, not in the template, or nothing that can be in a
  // key; Error(too_large) when the template itself is too long.
  std::string render(const KeyParameters& parameters, const KeyLimits& limits) const;

 private:
  struct Piece {
    std::string text;  // literal, or name of the parameter
    bool parameter = false;
    bool ascii = false;
  };
  using Segment = std::vector<Piece>;

  void check_names(const KeyParameters& parameters) const;
  std::string names() const;

  std::vector<Segment> segments_;
};

// a/b.wav has a/b_metadata.json.
std::string sidecar_key(std::string_view key);

}  // namespace audiostore::store
