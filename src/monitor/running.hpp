// What long work tells others about itself while it runs, for the view audiostore.progress: an entry in shared memory
// for as long as the object lives. Does nothing where the library is not preloaded, or when all entries are taken.
// Nothing here raises an error.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace audiostore::monitor {

struct RunningEntry;

class Running {
 public:
  Running() = default;
  Running(std::string_view task, std::string_view subject) noexcept;
  ~Running() { end(); }
  Running(Running&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  Running& operator=(Running&& other) noexcept {
    if (this != &other) {
      end();
      entry_ = std::exchange(other.entry_, nullptr);
    }
    return *this;
  }

  explicit operator bool() const { return entry_ != nullptr; }
  void done(std::int64_t amount) noexcept;
  void total(std::int64_t amount) noexcept;  // of what is done in the end; not known unless told
  void end() noexcept;

 private:
  RunningEntry* entry_ = nullptr;
};

// Adds to what the library asks for in shared memory; before init_shared().
void init_running();

}  // namespace audiostore::monitor
