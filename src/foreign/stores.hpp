// This process's open stores and its one HTTP client: made on first use, kept for the next call, dropped when
// the server or a user mapping changes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/task.hpp"
#include "foreign/catalog.hpp"
#include "http/client.hpp"
#include "pg/background.hpp"
#include "pg/interrupts.hpp"
#include "store/store.hpp"

namespace audiostore::foreign {

struct OpenStore {
  store::Config config;
  std::shared_ptr<store::Store> store;
};

// Shared: a store whose options changed lives on until the calls that use it are done.
std::shared_ptr<OpenStore> open_store(const StoreHandle& handle, Oid user);

// Changes whenever a server, a user mapping or a role may have changed: what was looked up under another number has
// to be looked up again.
std::uint64_t catalog_generation();

http::Client& client();

// Waits until a started store call is done; cancel, terminate and timeouts end it.
template <class T>
T finish(Task<T>& task) {
  pg::ReportWait const waiting;
  while (!task.done()) {
    auto const patience = std::chrono::milliseconds(pg::prepare_wait() ? 0 : 100);
    client().poll(patience, pg::wake_fd());
    pg::after_wait();
  }
  return task.take();
}

// Runs a store call to its end inside a backend function.
template <class T>
T run(Task<T> task) {
  task.start();
  return finish(task);
}

}  // namespace audiostore::foreign
