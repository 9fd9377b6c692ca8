#include "lifecycle/way.hpp"

#include "lifecycle/place.hpp"

namespace audiostore::lifecycle {
namespace {

foreign::StoreHandle usable(const std::string& name, Oid owner) {
  foreign::StoreHandle handle = foreign::find_store(name);
  foreign::check_usage(handle, owner);
  if (!foreign::claimed_here(handle)) {
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "store \"" + handle.name + "\" is looked after by another database",
                       "This database was restored or cloned from it.",
                       "If this database takes over, run SELECT audiostore.claim_store('" + handle.name + "').");
  }
  return handle;
}

void check_elsewhere(const TierRule& rule, const store::Config& from, const store::Config& to) {
  if (same_object(from, to, rule.target.to_prefix)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "objects of store \"" + from.name + "\" cannot move to where they are",
                       "Store \"" + to.name + "\" is the same place, so that the move would end with a delete.",
                       "Give a to_prefix that puts them elsewhere, or a storage_class.");
  }
  if (!rule.store_column.empty() || from.name == to.name) return;
  throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                     "objects of column \"" + rule.target.key_column + "\" cannot move to store \"" + to.name + "\"",
                     "All of its keys belong to store \"" + from.name + "\".",
                     "Track the column with a store_column, or move them below a to_prefix of their own store.");
}

}  // namespace

Way find_way(const TierRule& rule, Oid owner, const std::string& store, const std::string& storage_class) {
  foreign::StoreHandle const from = usable(store, owner);
  store::Config const config = foreign::load_config(from, from.owner);
  std::string to = rule.target.to_store.empty() ? from.name : rule.target.to_store;
  if (!rule.target.moves()) {
    store::Provider const* const provider = store::find_provider(config.provider);
    if (provider != nullptr && provider->storage_classes) {
      return {.to = {}, .to_store = {}, .storage_class = storage_class_of(config.provider, storage_class)};
    }
    to = config.common.archive_store;
    if (to.empty()) {
      throw pg::SqlError(ERRCODE_FEATURE_NOT_SUPPORTED, "store \"" + from.name + "\" has no storage classes",
                         "Its provider is " + config.provider + ", and it has no option archive_store.",
                         "Set the server option archive_store, or give the policy a to_store.");
    }
  }
  foreign::StoreHandle const target = usable(to, owner);
  check_elsewhere(rule, config, foreign::load_config(target, target.owner));
  return {.to = foreign::open_store(target, target.owner), .to_store = target.name, .storage_class = {}};
}

}  // namespace audiostore::lifecycle
