#include "pg/identity.hpp"

namespace audiostore::pg {

AsExtensionOwner::AsExtensionOwner() {
  GetUserIdAndSecContext(&user_, &security_context_);
  Oid const owner = call([] {
    Oid const schema = get_namespace_oid("audiostore", false);
    Oid const table = get_relname_relid("operation_rows", schema);
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    if (!HeapTupleIsValid(tuple)) {
      ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"audiostore.operation_rows\" does not exist"));
    }
    Oid const found = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return found;
  });
  SetUserIdAndSecContext(owner, security_context_ | SECURITY_LOCAL_USERID_CHANGE);
}

Oid own_relation(const char* name) {
  return call([&] {
    Oid const schema = get_namespace_oid("audiostore", true);
    return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
  });
}

}  // namespace audiostore::pg
