#include "mastering/decoder_program.hpp"

#include "pg/pg.hpp"
#include "pg/settings.hpp"

namespace audiostore::mastering {
namespace {

// Slower than any machine that this ought to run on; a busy one gets its chance.
constexpr std::uint64_t kBytesPerSecond = std::uint64_t{4} << 20;

}  // namespace

std::string decoder_directory() { return pkglib_path; }

sandbox::Limits decoder_limits(std::uint64_t input_bytes) {
  return {.timeout = pg::settings::decoder_timeout() + std::chrono::seconds(input_bytes / kBytesPerSecond),
          .memory = pg::settings::decoder_memory()};
}

}  // namespace audiostore::mastering
