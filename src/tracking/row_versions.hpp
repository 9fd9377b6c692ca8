// What a dead row version says about where its row is now.
#pragma once

#include "pg/pg.hpp"

namespace audiostore::tracking {

// The entry at which `scan` stands led to dead versions only. Can the row be elsewhere by now, under an entry that came
// after the scan had read the index? `before` was taken, and stays registered, since before the scan: whoever ended the
// versions and is not in progress by it had made the row's next entry before the scan read. That goes for versions that
// were pruned away, too, which takes that nobody's snapshot could see them. When in doubt: yes. Inside pg::call.
bool may_have_moved(Relation table, IndexScanDesc scan, Snapshot before);

}  // namespace audiostore::tracking
