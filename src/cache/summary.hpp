// Where a key may be: for each of two words that its hash picks, the set of segments that have held a key which picks
// that word. The segments of a key are in both. A word only gains members until a segment is emptied, so the answer
// may name a segment too many, never one too few; that is all that lookups ask of it, whatever transactions do.
//
// And where its row was seen last, in one word: a part of the hash, segment, block and offset. These words lie in sets
// of eight (a cache line), and a key has any of its set. Such a place is a guess: whoever uses it looks at the row's
// key.
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

inline constexpr std::size_t kPlacesInSet = 8;
inline constexpr unsigned kTagShift = 41;
inline constexpr unsigned kSegmentShift = 35;
inline constexpr unsigned kBlockShift = 9;

// The first of the set's words; place_count is a power of two.
constexpr std::size_t place_set(std::uint64_t hash, std::size_t place_count) {
  return static_cast<std::size_t>(hash >> 16) & (place_count - kPlacesInSet);
}

// `where` has segment + 1 above 48 bits, the block above 16 bits, and the offset. 0: has no room in a word.
constexpr std::uint64_t pack_place(std::uint64_t hash, std::uint64_t where) {
  std::uint64_t const segment = (where >> 48) - 1;
  std::uint64_t const block = (where >> 16) & 0xFFFFFFFF;
  std::uint64_t const offset = where & 0xFFFF;
  if (block >> (kSegmentShift - kBlockShift) != 0 || offset >> kBlockShift != 0) return 0;
  return (hash >> kTagShift << kTagShift) | (segment << kSegmentShift) | (block << kBlockShift) | offset;
}

constexpr std::uint64_t unpack_place(std::uint64_t place) {
  std::uint64_t const segment = (place >> kSegmentShift) & 0x3F;
  std::uint64_t const block = (place >> kBlockShift) & ((std::uint64_t{1} << (kSegmentShift - kBlockShift)) - 1);
  return ((segment + 1) << 48) | (block << 16) | (place & ((std::uint64_t{1} << kBlockShift) - 1));
}

constexpr bool is_place_of(std::uint64_t place, std::uint64_t hash) {
  return place != 0 && place >> kTagShift == hash >> kTagShift;
}

constexpr std::uint64_t bit_of(int segment) { return std::uint64_t{1} << static_cast<unsigned>(segment); }

}  // namespace audiostore::cache
