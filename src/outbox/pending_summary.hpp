// Which keys may have a delete queued, in shared memory: so that a statement that adds a row with a new key, which is
// what most of them do, learns without opening a table that there is nothing to take back.
//
// A bit for each hash of a store and a key. It is set after the row of the delete was written and before its
// transaction ends, by whoever writes it (SQL by a trigger), and never cleared: now and then, when most bits speak for
// deletes that are done, the worker reads what is queued into a second set of bits, which takes the place of the first.
// Everybody sets bits in both, so whatever is written while it reads is in the new set as well. So the answer may be
// "perhaps" too often, never too seldom. After a restart there are no bits until somebody has read what is queued;
// until then, without preloading, and where more databases use the extension than there is room for, it is "perhaps".
//
// A delete that is not committed yet may not be seen. As everywhere in the outbox that is for its claim to find out
// (src/README.md): whoever asks here has written his row before.
#pragma once

#include <cstdint>
#include <string_view>

#include "pg/pg.hpp"

namespace audiostore::outbox {

// Asks for the memory; before monitor::init_shared().
void init_pending_summary();

// False: no row of operation_rows that is committed, or our own, is a delete of this key.
bool may_have_delete(std::string_view store, std::string_view key);
// After the row was written.
void note_delete(std::string_view store, std::string_view key);

// False: operation_packs has no row that is committed, or our own.
bool may_have_packs();
// After packs were written.
void note_packs();
// Counts how often packs were noted; for note_no_packs().
std::uint64_t packs_noted();
// The file of operation_packs, which is open, has no pages, and `noted` was asked for before looking.
void note_no_packs(Relation packs, std::uint64_t noted);

// Reads what is queued where nobody has since the server started, or where the bits say little any more.
void refresh_pending_summary();

}  // namespace audiostore::outbox
