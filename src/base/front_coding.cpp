#include "base/front_coding.hpp"

#include <algorithm>
#include <cstdint>

namespace audiostore {
namespace {

constexpr std::size_t kBits = 7;
constexpr std::uint8_t kMore = 0x80;

void add_number(std::string& coded, std::size_t value) {
  for (; value >= kMore; value >>= kBits) coded.push_back(static_cast<char>((value & (kMore - 1U)) | kMore));
  coded.push_back(static_cast<char>(value));
}

std::size_t length_of(std::size_t value) {
  std::size_t octets = 1;
  for (; value >= kMore; value >>= kBits) octets++;
  return octets;
}

std::size_t shared_octets(std::string_view a, std::string_view b) {
  std::size_t const most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
                                  a.begin());
}

}  // namespace

std::size_t front_code(std::span<const std::string_view> strings, std::size_t most, std::string& coded) {
  std::string_view before;
  std::size_t count = 0;
  for (std::string_view const string : strings) {
    std::size_t const shared = shared_octets(before, string);
    std::size_t const own = string.size() - shared;
    if (count > 0 && coded.size() + length_of(shared) + length_of(own) + own > most) break;
    add_number(coded, shared);
    add_number(coded, own);
    coded.append(string.substr(shared));
    before = string;
    count++;
  }
  return count;
}

bool FrontCodedReader::number(std::size_t& value) {
  value = 0;
  for (std::size_t shift = 0; !rest_.empty() && shift < 4 * kBits; shift += kBits) {
    auto const octet = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::size_t>(octet & (kMore - 1U)) << shift;
    if ((octet & kMore) == 0) return true;
  }
  return false;
}

bool FrontCodedReader::next() {
  if (rest_.empty() || broken_) return false;
  std::size_t shared = 0;
  std::size_t own = 0;
  if (!number(shared) || !number(own) || shared > current_.size() || own > rest_.size()) {
    broken_ = true;
    return false;
  }
  current_.resize(shared);
  current_.append(rest_.substr(0, own));
  rest_.remove_prefix(own);
  return true;
}

}  // namespace audiostore
