#include "foreign/key_range.hpp"

namespace audiostore::foreign {

void KeyRange::add(Comparison comparison, std::string_view value) {
  switch (comparison) {
    case Comparison::equal:
      add_prefix(value);
      add_lower(value, true);
      add_upper(value, true);
      break;
    case Comparison::like: add_pattern(value); break;
    case Comparison::prefix: add_prefix(value); break;
    case Comparison::at_least: add_lower(value, true); break;
    case Comparison::above: add_lower(value, false); break;
    case Comparison::at_most: add_upper(value, true); break;
    case Comparison::below: add_upper(value, false); break;
  }
}

void KeyRange::add_prefix(std::string_view value) {
  if (value.starts_with(prefix_)) {
    prefix_ = value;
  } else if (!std::string_view(prefix_).starts_with(value)) {
    empty_ = true;
  }
}

void KeyRange::add_lower(std::string_view key, bool inclusive) {
  bool const tighter = !lower_ || key > lower_->key || (key == lower_->key && !inclusive);
  if (tighter) lower_ = End{std::string(key), inclusive};
}

void KeyRange::add_upper(std::string_view key, bool inclusive) {
  bool const tighter = !upper_ || key < upper_->key || (key == upper_->key && !inclusive);
  if (tighter) upper_ = End{std::string(key), inclusive};
}

// The literal beginning of a LIKE pattern; all of it when it has no wildcard.
void KeyRange::add_pattern(std::string_view pattern) {
  std::string literal;
  for (std::size_t i = 0; i < pattern.size(); i++) {
    if (pattern[i] == '%' || pattern[i] == '_') return add_prefix(literal);
    if (pattern[i] == '\\' && ++i == pattern.size()) return add_prefix(literal);
    literal += pattern[i];
  }
  add(Comparison::equal, literal);
}

std::string KeyRange::after() const {
  if (!lower_ || lower_->key <= prefix_) return {};
  std::string key = lower_->key;
  if (!lower_->inclusive) return key;
  // Without its last character it sorts before the key, and before everything that we have to look at.
  while (!key.empty() && (static_cast<unsigned char>(key.back()) & 0xC0) == 0x80) key.pop_back();
  if (!key.empty()) key.pop_back();
  return key;
}

bool KeyRange::ends_before(std::string_view key) const {
  return upper_ && (upper_->inclusive ? key > upper_->key : key >= upper_->key);
}

bool KeyRange::contains(std::string_view key) const {
  if (empty_ || ends_before(key) || !key.starts_with(prefix_)) return false;
  return !lower_ || (lower_->inclusive ? key >= lower_->key : key > lower_->key);
}

std::string KeyRange::text() const {
  std::string text;
  if (lower_) text.append(lower_->inclusive ? ">= " : "> ").append(lower_->key);
  if (lower_ && upper_) text.append(" and ");
  if (upper_) text.append(upper_->inclusive ? "<= " : "< ").append(upper_->key);
  return text;
}

}  // namespace audiostore::foreign
