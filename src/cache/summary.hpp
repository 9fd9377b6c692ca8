// Where a key may be: for each of two words that its hash picks, the set of segments that have held a key which picks
// that word. The segments of a key are in both. A word only gains members until a segment is emptied, so the answer
// may name a segment too many, never one too few; that is all that lookups ask of it, whatever transactions do.
#pragma once

#include <cstddef>
#include <cstdint>

namespace audiostore::cache {

struct WordPair {
  std::size_t first;
  std::size_t second;
};

// The hash has 64 bits that are all good; word_count is a power of two.
constexpr WordPair words_of(std::uint64_t hash, std::size_t word_count) {
  auto const first = static_cast<std::size_t>(hash) & (word_count - 1);
  auto const second = static_cast<std::size_t>(hash >> 32) & (word_count - 1);
  return {first, second == first ? (second + 1) & (word_count - 1) : second};
}

constexpr std::uint64_t bit_of(int segment) { return std::uint64_t{1} << static_cast<unsigned>(segment); }

}  // namespace audiostore::cache
