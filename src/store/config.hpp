// What a store needs to be opened: the options of its foreign server and user mapping, read and checked.
// Each provider names its own options in its driver's options.cpp; the foreign data wrapper's validator uses
// the same tables.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "http/client.hpp"
#include "store/store.hpp"

namespace audiostore::store {

using Options = std::map<std::string, std::string>;
using Secrets = std::map<std::string, Secret>;

// Options that every provider has, with their defaults.
struct Common {
  std::string prefix;
  std::chrono::microseconds delete_grace{0};
  std::string archive_store;
  int max_connections = 16;
  std::chrono::milliseconds request_timeout{30000};
  int max_attempts = 10;
  std::chrono::milliseconds max_retry_delay{300000};
  std::string ca_file;
  std::string public_url;
};

struct Config {
  std::string name;  // of the foreign server, for messages
  std::string provider;
  Options options;      // provider's own server options
  Secrets credentials;  // user mapping options
  Common common;
};

// Everything from outside that a driver may use. Outlives the stores made from it.
struct Surroundings {
  http::Client* client = nullptr;  // null for a caller that must not use the network
  const Clock* clock = nullptr;
  Random* random = nullptr;
};

struct Provider {
  std::string_view name;
  std::vector<std::string_view> server_options;  // besides the common ones and `provider`
  std::vector<std::string_view> mapping_options;
  // Throws Error(invalid_option): each value on its own, then, with complete, what is missing or contradicts.
  void (*check_server)(const Options& options, bool complete);
  void (*check_mapping)(const Options& options);
  std::unique_ptr<Store> (*open)(const Config& config, Surroundings surroundings);
  bool storage_classes = false;  // set_storage_class() means something
};

// Null when there is no such provider.
const Provider* find_provider(std::string_view name);
std::vector<std::string_view> provider_names();

}  // namespace audiostore::store
