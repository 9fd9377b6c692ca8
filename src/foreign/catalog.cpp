#include "foreign/catalog.hpp"

#include "foreign/options.hpp"
#include "pg/guard.hpp"
#include "pg/settings.hpp"

namespace audiostore::foreign {
namespace {

constexpr const char* kWrapper = "audiostore";

Oid wrapper_oid() { return get_foreign_data_wrapper_oid(kWrapper, true); }

// Up to ten names, for the hint that follows a name that does not exist.
std::string names_of_stores() {
  constexpr int kMost = 10;
  struct Names {
    NameData names[kMost];
    int count;
  };
  auto const found = pg::call([] {
    Names names{};
    Oid const wrapper = wrapper_oid();
    Relation servers = table_open(ForeignServerRelationId, AccessShareLock);
    SysScanDesc scan = systable_beginscan(servers, InvalidOid, false, nullptr, 0, nullptr);
    while (names.count < kMost) {
      HeapTuple tuple = systable_getnext(scan);
      if (!HeapTupleIsValid(tuple)) break;
      auto const* server = reinterpret_cast<Form_pg_foreign_server>(GETSTRUCT(tuple));
      if (server->srvfdw == wrapper) names.names[names.count++] = server->srvname;
    }
    systable_endscan(scan);
    table_close(servers, AccessShareLock);
    return names;
  });
  std::vector<std::string> sorted;
  sorted.reserve(kMost);
  for (int i = 0; i < found.count; i++) sorted.emplace_back(NameStr(found.names[i]));
  std::sort(sorted.begin(), sorted.end());
  std::string list;
  for (auto const& name : sorted) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

struct FoundServer {
  Oid server;
  Oid owner;
  Oid wrapper;
  NameData name;
};

FoundServer read_server(HeapTuple tuple) {
  FoundServer found{};
  if (!HeapTupleIsValid(tuple)) return found;
  auto const* row = reinterpret_cast<Form_pg_foreign_server>(GETSTRUCT(tuple));
  found = {row->oid, row->srvowner, row->srvfdw, row->srvname};
  ReleaseSysCache(tuple);
  return found;
}

StoreHandle checked(const FoundServer& found) {
  std::string name = NameStr(found.name);
  if (found.wrapper != pg::call([] { return wrapper_oid(); })) {
    throw pg::SqlError(ERRCODE_WRONG_OBJECT_TYPE, "foreign server \"" + name + "\" is not a store",
                       "It does not belong to the foreign-data wrapper \"" + std::string(kWrapper) + "\".");
  }
  return {found.server, found.owner, std::move(name)};
}

[[noreturn]] void throw_no_such_store(std::string_view name) {
  std::string const others = names_of_stores();
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "store \"" + std::string(name) + "\" does not exist", {},
                     others.empty() ? "Create one with CREATE SERVER ... FOREIGN DATA WRAPPER audiostore."
                                    : "Stores are: " + others + ".");
}

List* options_of(HeapTuple tuple, int cache, AttrNumber attribute) {
  bool null = false;
  Datum const value = SysCacheGetAttr(cache, tuple, attribute, &null);
  List* const options = null ? NIL : untransformRelOptions(value);
  ReleaseSysCache(tuple);
  return options;
}

store::Options server_options(Oid server) {
  return to_options(pg::call([&] {
    HeapTuple tuple = SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(server));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for foreign server %u", server);
    return options_of(tuple, FOREIGNSERVEROID, Anum_pg_foreign_server_srvoptions);
  }));
}

store::Options mapping_options(Oid mapping) {
  if (!OidIsValid(mapping)) return {};
  return to_options(pg::call([&]() -> List* {
    HeapTuple tuple = SearchSysCache1(USERMAPPINGOID, ObjectIdGetDatum(mapping));
    if (!HeapTupleIsValid(tuple)) return NIL;
    return options_of(tuple, USERMAPPINGOID, Anum_pg_user_mapping_umoptions);
  }));
}

}  // namespace

StoreHandle find_store(std::string_view name) {
  NameData key{};
  if (name.size() >= NAMEDATALEN) throw_no_such_store(name);
  std::memcpy(NameStr(key), name.data(), name.size());
  auto const found =
      pg::call([&] { return read_server(SearchSysCache1(FOREIGNSERVERNAME, CStringGetDatum(NameStr(key)))); });
  if (!OidIsValid(found.server)) throw_no_such_store(name);
  return checked(found);
}

StoreHandle find_store(Oid server) {
  auto const found = pg::call([&] { return read_server(SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(server))); });
  if (!OidIsValid(found.server)) throw_no_such_store(std::to_string(server));
  return checked(found);
}

StoreHandle find_store_or_default(std::string_view name_or_empty) {
  if (!name_or_empty.empty()) return find_store(name_or_empty);
  std::string_view const by_default = pg::settings::default_store();
  if (by_default.empty()) {
    throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "no store is given, and there is no default store", {},
                       "Name a store, or set audiostore.default_store.");
  }
  return find_store(by_default);
}

void check_usage(const StoreHandle& store, Oid role) {
  bool const allowed = pg::call([&] { return pg::has_foreign_server_usage(store.server, role); });
  if (allowed) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for store \"" + store.name + "\"", {},
                     "The role needs USAGE on the foreign server.");
}

Oid find_mapping(const StoreHandle& store, Oid user) {
  return pg::call([&] {
    for (Oid const role : {user, InvalidOid}) {
      Oid const mapping = GetSysCacheOid2(USERMAPPINGUSERSERVER, Anum_pg_user_mapping_oid, ObjectIdGetDatum(role),
                                          ObjectIdGetDatum(store.server));
      if (OidIsValid(mapping)) return mapping;
    }
    return InvalidOid;
  });
}

store::Config load_config(const StoreHandle& store, Oid user) {
  ServerOptions read = read_server_options(server_options(store.server));
  return {.name = store.name,
          .provider = std::string(read.provider->name),
          .options = std::move(read.own),
          .credentials = read_mapping_options(store.name, *read.provider, mapping_options(find_mapping(store, user))),
          .common = std::move(read.common)};
}

}  // namespace audiostore::foreign
