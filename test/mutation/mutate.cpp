#include "mutate.hpp"

#include <algorithm>
#include <array>
#include <random>

namespace audiostore::test {
namespace {

using Random = std::mt19937_64;

// Where signs change, sizes overflow and loops end.
constexpr std::array<std::uint64_t, 16> kNumbers = {0,
                                                    1,
                                                    2,
                                                    0x7f,
                                                    0x80,
                                                    0xff,
                                                    0x7fff,
                                                    0x8000,
                                                    0xffff,
                                                    0x10000,
                                                    0x7fffffff,
                                                    0x80000000,
                                                    0xffffffff,
                                                    0xfffffff0,
                                                    0x7fffffffffffffff,
                                                    0xffffffffffffffff};

std::size_t below(Random& random, std::size_t limit) { return limit == 0 ? 0 : random() % limit; }

// Mostly in the headers.
std::size_t place(Random& random, const std::string& bytes) {
  return below(random, below(random, 4) == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 200));
}

void write_number(Random& random, std::string& bytes) {
  std::uint64_t const number = kNumbers[below(random, kNumbers.size())];
  std::size_t const size = std::size_t{1} << below(random, 4);
  bool const big_endian = below(random, 2) == 0;
  std::size_t const at = place(random, bytes);
  for (std::size_t i = 0; i < size; i++) {
    std::size_t const target = at + (big_endian ? size - 1 - i : i);
    if (target < bytes.size()) bytes[target] = static_cast<char>(number >> (8 * i));
  }
}

void change(Random& random, std::string& bytes, const std::vector<Seed>& seeds) {
  std::size_t const at = place(random, bytes);
  std::size_t const length = std::min(bytes.size() - at, below(random, 64));
  switch (below(random, 10)) {
    case 0:
    case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(random, 8))); return;
    case 2: bytes[at] = static_cast<char>(random()); return;
    case 3:
    case 4:
    case 5: return write_number(random, bytes);
    case 6: bytes.erase(at, length); return;
    case 7: bytes.insert(at, bytes.substr(place(random, bytes), length)); return;
    case 8: bytes.resize(std::max<std::size_t>(1, below(random, bytes.size()))); return;
    default: {
      auto const& other = seeds[below(random, seeds.size())].bytes;
      bytes.replace(at, length, other.substr(place(random, other), length));
    }
  }
}

}  // namespace

std::string mutate(const std::vector<Seed>& seeds, std::size_t chosen, std::uint64_t number) {
  Random random(number);
  std::string bytes = seeds[chosen].bytes;
  std::size_t const changes = 1 + below(random, std::size_t{1} << below(random, 5));
  for (std::size_t i = 0; i < changes && !bytes.empty(); i++) change(random, bytes, seeds);
  return bytes;
}

}  // namespace audiostore::test
