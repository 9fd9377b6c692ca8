// Records over the socket, each one message. What would surprise you: a record that is not exactly as long as its type,
// or that brings descriptors along, is as good as a lie, and told apart from the end of the helper.
#pragma once

#include <sys/socket.h>

#include <cstddef>

namespace audiostore::sandbox {

// One record, with up to two descriptors. False where the other side is gone.
bool send_record(int socket, const void* record, std::size_t size, int first = -1, int second = -1);

enum class Received { nothing_yet, record, closed, malformed };

// Never waits.
Received receive_record(int socket, void* record, std::size_t size);

template <class T>
Received receive(int socket, T& record) {
  return receive_record(socket, &record, sizeof record);
}

}  // namespace audiostore::sandbox
