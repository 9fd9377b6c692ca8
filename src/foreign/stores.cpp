// What would surprise you: nothing here is ever destroyed at the end of the process. A backend may exit in the middle
// of anything, and tearing down connections in exit handlers would run code that nobody waits for.
#include "foreign/stores.hpp"

#include "foreign/init.hpp"
#include "pg/settings.hpp"

namespace audiostore::foreign {
namespace {

// Written by the invalidation callback, at any time and possibly inside an abort: a number, and nothing else.
std::uint64_t generation = 1;

void on_change(Datum /*unused*/, int /*cache*/, uint32 /*hash*/) { generation++; }

struct CacheKey {
  Oid server;
  Oid mapping;
  bool operator<(const CacheKey& other) const {
    return std::pair(server, mapping) < std::pair(other.server, other.mapping);
  }
};

struct Cache {
  std::map<CacheKey, std::shared_ptr<OpenStore>> stores;
  std::uint64_t generation = 0;
};

Cache& cache() {
  static auto* const stores = new Cache;
  return *stores;
}

std::shared_ptr<OpenStore> open(store::Config config) {
  static SystemClock clock;
  static auto* const random = new SystemRandom;
  const store::Provider* provider = store::find_provider(config.provider);
  auto opened = std::make_shared<OpenStore>();
  opened->config = std::move(config);
  // A local store needs no sockets: a session does not make the client for its sake.
  bool const wants_client = provider->name != "local" || MyBackendType == B_BG_WORKER;
  opened->store =
      provider->open(opened->config, {.client = wants_client ? &client() : nullptr, .clock = &clock, .random = random});
  return opened;
}

}  // namespace

void init() {
  for (int const cache_id : {FOREIGNSERVEROID, USERMAPPINGOID, FOREIGNDATAWRAPPEROID, AUTHOID, AUTHMEMROLEMEM}) {
    CacheRegisterSyscacheCallback(cache_id, on_change, Datum{0});
  }
}

std::uint64_t catalog_generation() { return generation; }

std::shared_ptr<OpenStore> open_store(const StoreHandle& handle, Oid user) {
  CacheKey const key{handle.server, find_mapping(handle, user)};
  Cache& known = cache();
  if (known.generation != generation) {
    known.stores.clear();
    known.generation = generation;
  }
  if (auto const found = known.stores.find(key); found != known.stores.end()) return found->second;
  std::uint64_t const before = generation;
  auto opened = open(load_config(handle, user));
  // A change that came in while the options were read makes this a store for one use.
  if (before == generation && known.generation == generation) known.stores.emplace(key, opened);
  return opened;
}

http::Client& client() {
  static http::Client* const made =
      http::make_curl_client({.connections = static_cast<std::size_t>(pg::settings::max_connections())}).release();
  return *made;
}

}  // namespace audiostore::foreign
