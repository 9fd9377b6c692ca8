// Taking most of the entries out of a segment without touching the audio of those that stay: their rows are written to
// a new heap, pointing to the same chunks, and a new TOAST index has entries for these chunks alone. What else lies in
// the TOAST table is nobody's then, and its pages are used again (recycle.hpp).
#pragma once

#include <vector>

#include "cache/recycle.hpp"

namespace audiostore::cache {

// Inside pg::call. The segment and its TOAST table are locked alone by this transaction, and these are all the rows
// that are to stay, in the order of their places. False, with nothing done, where its TOAST table cannot be kept.
bool thin_in_place(int segment, const std::vector<std::uint64_t>& rows);

}  // namespace audiostore::cache
