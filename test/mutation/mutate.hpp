// Files that are nearly audio. The same number always gives the same file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace audiostore::test {

struct Seed {
  std::string name;
  std::string bytes;
};

std::string mutate(const std::vector<Seed>& seeds, std::size_t chosen, std::uint64_t number);

}  // namespace audiostore::test
