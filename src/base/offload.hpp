// Blocking system calls (a copy, an fsync) off the thread that must go on: run() completes once a thread of its own has
// done the work. What would surprise you: the work runs beside everything else, so it may touch only what it alone
// owns, and nothing of PostgreSQL. Its threads take no signals. Destroying a task waits for the work under way.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "base/task.hpp"

namespace audiostore {

class Offload {
 public:
  explicit Offload(std::size_t most_threads) : most_threads_(most_threads) {}
  ~Offload();
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  // What the work throws comes out of the task. It completes inside resume_done().
  Task<void> run(std::function<void()> work);

  // Readable while there is something to resume; -1 before the first run().
  int fd() const noexcept { return fd_; }
  // Resumes the tasks whose work is done; true if there were any.
  bool resume_done();
  // Tasks that are not resumed yet.
  std::size_t in_flight() const noexcept { return in_flight_; }

 private:
  struct Call;
  using Calls = std::list<Call*>;

  void enqueue(Call& call);
  void withdraw(Call& call);
  void start_thread();
  void serve();

  std::size_t most_threads_;
  int fd_ = -1;
  std::size_t in_flight_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  Calls queued_, done_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace audiostore
