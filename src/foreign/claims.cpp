// Which cluster and database looks after a store. A dump carries these rows along, so that a database restored
// elsewhere finds a stranger's name there and leaves the store alone until claim_store() is called in it.
#include "foreign/catalog.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::foreign {
namespace {

Datum here() { return Int64GetDatum(static_cast<std::int64_t>(GetSystemIdentifier())); }

bool any_claim(const StoreHandle& store) {
  static pg::Statement find("SELECT 1 FROM audiostore.store_claims WHERE store = $1", {TEXTOID});
  return find.execute({pg::text_argument(store.name)}) > 0;
}

// Whoever claims first holds this lock until his transaction ends. The others do not wait for that: the store is
// claimed then, or will be at its next use.
bool lock_for_claim(const StoreHandle& store) {
  return pg::call([&] {
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ForeignServerRelationId, store.server, 0);
    return LockAcquire(&tag, ShareUpdateExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
  });
}

Datum claim_store(FunctionCallInfo info) {
  StoreHandle const store = find_store_or_default(pg::Arguments(info).name_or_empty(0));
  Oid const caller = GetUserId();
  if (!pg::call([&] { return has_privs_of_role(caller, store.owner); })) {
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of foreign server " + store.name);
  }
  pg::Spi const spi;
  static pg::Statement claim(
      "INSERT INTO audiostore.store_claims AS c"
      " (store, system_identifier, database_oid, database_name, claimed_at, claimed_by)"
      " VALUES ($1, $2, $3, pg_catalog.current_database(), pg_catalog.now(), $4)"
      " ON CONFLICT (store) DO UPDATE SET system_identifier = excluded.system_identifier,"
      " database_oid = excluded.database_oid, database_name = excluded.database_name,"
      " claimed_at = excluded.claimed_at, claimed_by = excluded.claimed_by",
      {TEXTOID, INT8OID, OIDOID, TEXTOID});
  const char* const role = pg::call([&] { return GetUserNameFromId(caller, false); });
  pg::AsExtensionOwner const owner;
  claim.execute({pg::text_argument(store.name), here(), ObjectIdGetDatum(MyDatabaseId), pg::text_argument(role)});
  return Datum{0};
}

}  // namespace

void claim_if_unclaimed(const StoreHandle& store) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  if (any_claim(store) || !lock_for_claim(store)) return;
  static pg::Statement claim(
      "INSERT INTO audiostore.store_claims"
      " (store, system_identifier, database_oid, database_name, claimed_at, claimed_by)"
      " VALUES ($1, $2, $3, pg_catalog.current_database(), pg_catalog.now(), pg_catalog.session_user())"
      " ON CONFLICT (store) DO NOTHING",
      {TEXTOID, INT8OID, OIDOID});
  claim.execute({pg::text_argument(store.name), here(), ObjectIdGetDatum(MyDatabaseId)});
}

bool claimed_here(const StoreHandle& store) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement find(
      "SELECT system_identifier = $2 AND database_oid = $3"
      " FROM audiostore.store_claims WHERE store = $1",
      {TEXTOID, INT8OID, OIDOID});
  bool const recorded = find.execute({pg::text_argument(store.name), here(), ObjectIdGetDatum(MyDatabaseId)}) > 0;
  return !recorded || find.rows().boolean(0, 1);
}

}  // namespace audiostore::foreign

AUDIOSTORE_FUNCTION(claim_store, audiostore::foreign::claim_store)
