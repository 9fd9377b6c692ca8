#include "outbox/emptied.hpp"

#include "outbox/pack_relations.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::outbox {
namespace {

// Whatever the transaction's snapshot is: with the lock held, what is committed is all there is.
bool any_left(const PackRelations& relations) {
  IndexScanDesc const scan =
      begin_id_scan(relations.packs(), relations.id_index(), SnapshotSelf, PG_INT64_MIN, PG_INT64_MAX);
  bool const found = index_getnext_slot(scan, ForwardScanDirection, relations.slot());
  ExecClearTuple(relations.slot());
  index_endscan(scan);
  return found;
}

// A look without the lock comes first, as what is there may take long to pass over the first time.
bool locked_and_emptied() {
  PackRelations const relations;
  if (relations.empty()) return false;
  return pg::call([&] {
    return !any_left(relations) &&
           ConditionalLockRelationOid(RelationGetRelid(relations.packs()), AccessExclusiveLock) &&
           ConditionalLockRelationOid(RelationGetRelid(relations.holes()), AccessExclusiveLock) && !any_left(relations);
  });
}

}  // namespace

void truncate_emptied_packs() {
  if (!locked_and_emptied()) return;
  static pg::Statement truncate("TRUNCATE audiostore.operation_packs, audiostore.operation_holes", {});
  truncate.execute({});
}

}  // namespace audiostore::outbox
