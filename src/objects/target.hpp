// The object that a function's arguments name: its store, open for the calling role, and its key, checked.
#pragma once

#include <memory>
#include <string_view>

#include "foreign/stores.hpp"
#include "pg/arguments.hpp"

namespace audiostore::objects {

struct Target {
  foreign::StoreHandle handle;
  std::shared_ptr<foreign::OpenStore> open;
  std::string_view key;

  store::Store& store() const { return *open->store; }
};

// The store of this argument (NULL: the default store). Throws 42501 unless the caller has USAGE on it.
Target find_target(const pg::Arguments& arguments, int store_argument);

// The same with a key; throws 22004 when it is NULL and 42602 when the store cannot hold it.
Target find_target(const pg::Arguments& arguments, int store_argument, int key_argument);

// What travels through a function's result at once: a bytea is at most 1 GB, less some room for headers.
inline constexpr std::uint64_t kMostBytes = (std::uint64_t{1} << 30) - (std::uint64_t{64} << 10);

}  // namespace audiostore::objects
