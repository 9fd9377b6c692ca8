// A segment is emptied without giving its audio's space back to the file system, which is what takes the time: heap and
// indexes get new files, the TOAST table keeps its file, and its pages are used again. What lies in them is reached
// only through the TOAST index, which is new and empty, so nobody sees it any more.
//
// What would surprise you: nothing here keeps a list of free pages that has to be right. A page is free when it holds
// nothing that the TOAST index points to and nothing that a transaction may still be writing; whoever wants to use it
// looks at the page and at the index under the page's cleanup lock. What shared memory says (Recycling) is only where
// to look. All of it inside pg::call.
#pragma once

#include "cache/segments.hpp"

namespace audiostore::cache {

// Empties a segment that this transaction has locked alone, with its TOAST table; false, with nothing done, when that
// cannot be kept: there is no shared memory, it is due for freezing, or somebody decodes the log.
bool empty_in_place(int segment);

// The same in parts, for who has rows to keep. The pages are to be looked at again.
struct Kept {
  Relation heap = nullptr;
  Relation toast = nullptr;
  Relation index = nullptr;  // of the TOAST table
  BlockNumber blocks = 0;    // of the TOAST table
};
bool open_kept(int segment, Kept& kept);
// A new file for the index, as one that is built from an empty table: building it would read the table, and find that
// it is not.
void make_empty(Relation index);
// Builds the heap's indexes from what is in it now.
void close(const Kept& kept);

// This transaction, which may yet be rolled back, has emptied the segment, or thinned it out.
void note_emptied(int segment);
bool emptied_here(int segment);

// It is opened, by this transaction: its pages are to be looked at.
void begin_recycling(int segment);

// Before so many bytes go to the TOAST table: makes it likely that pages for them are found free there. True when some
// were, this time or before: the insert is to ask the free space map.
bool prepare_pages(int segment, Relation heap, std::int64_t bytes);

// Blocks of the TOAST table and, of these, those that may yet turn out to be free.
struct ToastBlocks {
  std::int64_t all = 0;
  std::int64_t left = 0;
};
ToastBlocks toast_blocks(int segment, Relation heap);

// Blocks that an empty segment keeps, as far as is known.
std::int64_t spare_blocks(int segment);
void note_spare(int segment, std::int64_t blocks);

// Pages that were used again since the server was started.
std::int64_t reused_pages();

}  // namespace audiostore::cache
