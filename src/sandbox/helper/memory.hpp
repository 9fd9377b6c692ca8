// Memory of the helper: how much it has, and what happens where code that cannot say so runs out of it.
#pragma once

#include <cstdint>

namespace audiostore::sandbox {

// Bytes of address space in use. Only before the confinement, as it reads /proc.
std::uint64_t address_space();

// A crash right after an allocation failed ends the process with kExitOutOfMemory, so that the parent can say what
// would help. Only before the confinement.
void tell_crashes_for_want_of_memory();

}  // namespace audiostore::sandbox
