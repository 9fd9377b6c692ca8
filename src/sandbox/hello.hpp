// The helper's first record: it is confined and ready for bytes that nobody vouches for. The parent sends nothing
// before it. Descriptor numbers and exit codes that both sides have to agree on are here too.
#pragma once

#include <cstdint>

namespace audiostore::sandbox {

constexpr std::uint32_t kHelloMagic = 0x41534849;  // "ASHI"

struct Hello {
  std::uint32_t magic;
  std::uint32_t version;        // audio::wire::kVersion
  std::uint64_t address_space;  // bytes in use before the first request: what the memory limit is counted from
};

constexpr int kHelperSocket = 3;

// The helper's exit codes. Anything may lie behind them once hostile bytes were read: they only choose words.
constexpr int kExitClosed = 0;        // the parent went away
constexpr int kExitOutOfMemory = 71;  // an allocation failed in code that cannot say so
constexpr int kExitNotConfined = 72;  // the kernel refused a part of the confinement
constexpr int kExitBadRequest = 73;   // a request that this version does not understand

}  // namespace audiostore::sandbox
