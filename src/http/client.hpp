// The HTTP client as the stores see it: send() awaits one exchange, poll() moves all of them on.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "base/task.hpp"
#include "http/message.hpp"

namespace audiostore::http {

class Client {
 public:
  virtual ~Client() = default;

  // Completes with whatever the server answered, 4xx and 5xx included. Throws Error of kind unavailable
  // (nothing was sent), timeout, interrupted, bad_reply, too_large or cancelled. Destroying the task aborts
  // the exchange and closes its connection.
  virtual Task<Response> send(Request request) = 0;

  // Completes inside the first poll() after that time: the delay before another attempt.
  virtual Task<void> pause(std::chrono::milliseconds delay) = 0;

  // Runs blocking work (file copies, fsync) on a thread of the client; completes inside poll(). The rules for the work
  // are in base/offload.hpp.
  virtual Task<void> offload(std::function<void()> work) = 0;

  // Waits until a socket is ready, one of wake_fds is readable or the timeout passes; moves every
  // exchange on and resumes the tasks whose reply is there. Exceptions of the tasks stay in the tasks. Not to be
  // called from inside a task.
  virtual void poll(std::chrono::milliseconds timeout, std::span<const int> wake_fds) = 0;
  void poll(std::chrono::milliseconds timeout, int wake_fd) {  // -1: none
    poll(timeout, std::span<const int>(&wake_fd, wake_fd < 0 ? 0 : 1));
  }

  // Exchanges, pauses and offloaded work that are not done.
  virtual std::size_t in_flight() const = 0;
};

struct ClientLimits {
  std::size_t connections_per_host = 16;
  std::size_t connections = 64;  // all hosts together; further exchanges queue inside the client
};

// The client over libcurl's multi interface: keep-alive, connection reuse, TLS verified, no redirects, only
// http and https, no proxy from the environment, HTTP/1.1. Signals are blocked while libcurl runs, so that
// its resolver thread never takes one. Process-wide state of libcurl is set up with the first client. The process
// must ignore SIGPIPE (as every PostgreSQL process does). Tasks may outlive the client: they never complete then.
std::unique_ptr<Client> make_curl_client(ClientLimits limits);

// Runs one task to its end on this client. between() is called at least every 100 ms; it may throw to cancel.
template <class T, class Between>
T run(Client& client, Task<T> task, int wake_fd, Between&& between) {
  task.start();
  while (!task.done()) {
    client.poll(std::chrono::milliseconds{100}, wake_fd);
    between();
  }
  return task.take();
}

}  // namespace audiostore::http
