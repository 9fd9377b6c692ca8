#include "base/offload.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <csignal>

#include "base/error.hpp"

namespace audiostore {

struct Offload::Call {
  enum class State { idle, queued, running, done };

  Call(Offload* owner, std::function<void()>* what) : offload(owner), work(what) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (state != State::idle) offload->withdraw(*this);
  }
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    task = waiting;
    offload->enqueue(*this);
  }
  void await_resume() const {
    if (error) std::rethrow_exception(error);
  }

  Offload* offload;
  std::function<void()>* work;
  State state = State::idle;  // guarded by the mutex, but for idle
  std::coroutine_handle<> task{};
  std::exception_ptr error;
};

Offload::~Offload() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  if (fd_ >= 0) close(fd_);
}

Task<void> Offload::run(std::function<void()> work) {
  Call call(this, &work);
  co_await call;
}

void Offload::enqueue(Call& call) {
  if (fd_ < 0) fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd_ < 0) throw Error(ErrorKind::internal, "could not create an eventfd");
  {
    const std::lock_guard lock(mutex_);
    if (idle_ <= queued_.size() && threads_.size() < most_threads_) start_thread();
    call.state = Call::State::queued;
    queued_.push_back(&call);
  }
  in_flight_++;
  changed_.notify_all();
}

void Offload::start_thread() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    threads_.emplace_back([this] { serve(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (threads_.empty()) throw;
    return;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// The thread.
void Offload::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    idle_++;
    changed_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
    idle_--;
    if (stopping_) return;
    Call& call = *queued_.front();
    queued_.pop_front();
    call.state = Call::State::running;
    lock.unlock();
    try {
      (*call.work)();
    } catch (...) {
      call.error = std::current_exception();
    }
    lock.lock();
    call.state = Call::State::done;
    done_.push_back(&call);
    const std::uint64_t one = 1;
    while (write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
    }
    changed_.notify_all();
  }
}

void Offload::withdraw(Call& call) {
  std::unique_lock lock(mutex_);
  if (call.state == Call::State::queued) queued_.remove(&call);
  changed_.wait(lock, [&] { return call.state != Call::State::running; });
  done_.remove(&call);
  call.state = Call::State::idle;
  in_flight_--;
}

bool Offload::resume_done() {
  if (in_flight_ == 0) return false;
  std::uint64_t count = 0;
  while (read(fd_, &count, sizeof count) > 0) {
  }
  bool any = false;
  // One at a time: a resumed task may destroy any other.
  while (true) {
    Call* call = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (done_.empty()) return any;
      call = done_.front();
      done_.pop_front();
      call->state = Call::State::idle;
    }
    in_flight_--;
    any = true;
    call->task.resume();
  }
}

}  // namespace audiostore
