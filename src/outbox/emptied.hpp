// Gives back the files of packs that are done.
#pragma once

namespace audiostore::outbox {

// Truncates operation_packs and operation_holes when nothing is left in them and nobody is at them: as long as they
// have pages, every statement that changes a tracked row has to ask their indexes (PackRelations::empty). VACUUM does
// not do it where the last pages were used last, or an old snapshot is held. Inside the caller's transaction, which
// should be short; never waits.
void truncate_emptied_packs();

}  // namespace audiostore::outbox
