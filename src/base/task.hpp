// Task<T>: a lazily started coroutine with one result. A store call is written as straight-line code that
// awaits HTTP replies; the worker keeps many of them in flight on one thread, a backend function runs one to
// its end. What would surprise you: nothing here schedules anything. A task runs inside whoever starts it,
// until it awaits a reply, and goes on inside the http::Client::poll() call that brings the reply.
//
// Rules that g++ 12 needs: bind every awaitable and every braced argument to a name before co_await, and take
// coroutine parameters by value (a reference parameter outlives its referent only if the caller says so).
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>
#include <variant>

namespace audiostore {

template <class T = void>
class Task;

namespace detail {

template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

struct PromiseBase {
  std::coroutine_handle<> continuation;
  std::exception_ptr error;
  std::function<void()> on_done;

  static std::suspend_always initial_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }

  struct Final {
    static bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) noexcept {
      auto& promise = self.promise();
      if (promise.continuation) return promise.continuation;
      if (promise.on_done) promise.on_done();
      return std::noop_coroutine();
    }
    static void await_resume() noexcept {}
  };
  static Final final_suspend() noexcept { return {}; }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() noexcept {}
  void take() const {
    if (error) std::rethrow_exception(error);
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { reset(); }

  // Runs until the first await. on_done is called once, from inside the coroutine's last step: it may take
  // note, but must not destroy the task.
  void start(std::function<void()> on_done = {}) {
    handle_.promise().on_done = std::move(on_done);
    handle_.resume();
  }
  bool done() const { return !handle_ || handle_.done(); }
  // The result, or the exception that ended the task; only when done().
  T take() { return handle_.promise().take(); }

  bool await_ready() const noexcept { return false; }
  Handle await_suspend(std::coroutine_handle<> caller) noexcept {
    handle_.promise().continuation = caller;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  void reset() {
    if (handle_) std::exchange(handle_, {}).destroy();
  }
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>{std::coroutine_handle<Promise>::from_promise(*this)};
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>{std::coroutine_handle<Promise>::from_promise(*this)};
}
}  // namespace detail

}  // namespace audiostore
