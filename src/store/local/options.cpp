#include <memory>

#include "store/local/key.hpp"
#include "store/local/provider.hpp"
#include "store/local/store.hpp"

namespace audiostore::store::local {
namespace {

constexpr std::string_view kRoot = "root";

[[noreturn]] void refuse(std::string_view option, std::string_view value, std::string_view detail,
                         std::string_view hint) {
  throw Error(ErrorKind::invalid_option,
              "invalid value for option \"" + std::string(option) + "\": \"" + std::string(value) + "\"",
              std::string(detail), std::string(hint));
}

void check_root(const std::string& root) {
  constexpr std::string_view kHint = "Give an absolute path such as /srv/audio, a directory that holds nothing else.";
  if (root.empty() || root.front() != '/') refuse(kRoot, root, "The root directory must be an absolute path.", kHint);
  if (root.find('\0') != std::string::npos) refuse(kRoot, root, "The path contains a NUL byte.", kHint);
  if (root.size() > 2048) refuse(kRoot, root.substr(0, 100) + "...", "The path is longer than 2048 bytes.", kHint);
  bool names_a_directory = false;
  for (std::string_view rest = root; !rest.empty();) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, slash);
    if (segment == ".." || segment == ".") refuse(kRoot, root, R"(The path contains "." or "..".)", kHint);
    names_a_directory = names_a_directory || !segment.empty();
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  if (!names_a_directory) refuse(kRoot, root, "The whole file system cannot be a store.", kHint);
}

void check_server(const Options& options, bool complete) {
  if (const auto root = options.find(std::string(kRoot)); root != options.end()) {
    check_root(root->second);
  } else if (complete) {
    throw Error(ErrorKind::invalid_option, "option \"root\" is missing", "A store of provider local needs it.",
                "For example: OPTIONS (provider 'local', root '/srv/audio').");
  }
}

// Keys are put behind the prefix as they are, so it must be the beginning of a key.
void check_prefix(const std::string& prefix) {
  if (prefix.empty()) return;
  const std::string sample = prefix.ends_with('/') ? prefix + "x" : prefix;
  const std::string_view why = why_not_a_key(sample);
  if (!why.empty()) {
    refuse("prefix", prefix, why, "A local store's prefix is the beginning of a path, for example raw/ or station-1/.");
  }
}

void check_mapping(const Options& /*options*/) {}  // there are none

std::unique_ptr<Store> open(const Config& config, Surroundings surroundings) {
  static SystemClock system_clock;
  static SystemRandom system_random;
  check_server(config.options, true);
  check_prefix(config.common.prefix);
  return std::make_unique<LocalStore>(Settings{.root = config.options.at(std::string(kRoot)),
                                               .prefix = config.common.prefix,
                                               .public_url = config.common.public_url},
                                      surroundings.clock != nullptr ? *surroundings.clock : system_clock,
                                      surroundings.random != nullptr ? *surroundings.random : system_random,
                                      surroundings.client);
}

}  // namespace

const Provider kLocalProvider{.name = "local",
                              .server_options = {kRoot},
                              .mapping_options = {},
                              .check_server = check_server,
                              .check_mapping = check_mapping,
                              .open = open};

}  // namespace audiostore::store::local
