// The walls around the decoder: after confine() the process can compute, use the descriptors it has or is sent, take
// memory within its limit, and end. Nothing else: another system call is its last. What would surprise you: most
// libraries are happy with that only because everything they want from the system is done before main().
#pragma once

namespace audiostore::sandbox {

// False where the kernel refuses a part of it: the process must not go on.
bool confine();

}  // namespace audiostore::sandbox
