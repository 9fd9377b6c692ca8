#include "pg/identity.hpp"

namespace audiostore::pg {

AsExtensionOwner::AsExtensionOwner() {
  GetUserIdAndSecContext(&user_, &security_context_);
  Oid const owner = call([] {
    Oid const schema = get_namespace_oid("audiostore", false);
    Oid const table = get_relname_relid("operations", schema);
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    if (!HeapTupleIsValid(tuple)) {
      ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"audiostore.operations\" does not exist"));
    }
    Oid const found = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return found;
  });
  SetUserIdAndSecContext(owner, security_context_ | SECURITY_LOCAL_USERID_CHANGE);
}

namespace {

// Few relations are asked for, by every statement that changes a tracked row.
constexpr int kMostKnown = 16;
struct {
  const char* name[kMostKnown];
  Oid oid[kMostKnown];
  int count;
  std::uint64_t generation;
  bool watching;
} known{};

void forget() {
  known.count = 0;
  known.generation++;
}

// Both run wherever PostgreSQL accepts invalidations.
void on_relation_change(Datum, Oid relation) {
  bool const concerned =
      !OidIsValid(relation) || std::find(known.oid, known.oid + known.count, relation) != known.oid + known.count;
  if (concerned) forget();
}

void on_schema_change(Datum, int, uint32) { forget(); }

}  // namespace

Oid own_relation(const char* name) {
  for (int i = 0; i < known.count; i++) {
    if (std::strcmp(known.name[i], name) == 0) return known.oid[i];
  }
  if (!known.watching) {
    call([] {
      CacheRegisterRelcacheCallback(on_relation_change, Datum{0});
      CacheRegisterSyscacheCallback(NAMESPACEOID, on_schema_change, Datum{0});
    });
    known.watching = true;
  }
  std::uint64_t const before = known.generation;
  Oid const found = call([&] {
    Oid const schema = get_namespace_oid("audiostore", true);
    return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
  });
  if (OidIsValid(found) && before == known.generation && known.count < kMostKnown) {
    known.name[known.count] = name;
    known.oid[known.count++] = found;
  }
  return found;
}

std::uint64_t own_relations_generation() { return known.generation; }

}  // namespace audiostore::pg
