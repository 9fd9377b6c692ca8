// Files, to a process that has none. What would surprise you: open() is our own here, for the libraries too. libsndfile
// looks for a Macintosh resource fork beside the file where it does not know a format at first sight (MP3 without ID3),
// although it was given no name: it hears that there is none, instead of dying of the attempt. Whoever makes the system
// call itself, dies.
#pragma once

namespace audiostore::sandbox {

// A real one, for use before the confinement. -1 where it cannot be opened.
int open_before_confinement(const char* path, int flags);

}  // namespace audiostore::sandbox
