// The one exception type of the layers below PostgreSQL. Its kind decides two things, each in one table:
// whether the work is worth repeating (http/retry.hpp) and the SQLSTATE a user sees (pg/sqlstate.hpp).
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace audiostore {

enum class ErrorKind {
  invalid_argument,     // a value the caller gave cannot be used
  invalid_key,          // not a key this store can hold
  invalid_option,       // a server or user mapping option
  not_found,            // no such object
  no_such_bucket,       // the bucket, container or root directory is missing
  access_denied,        // credentials or permissions
  precondition_failed,  // the object is not what the caller expected
  unsupported,          // the provider cannot do this
  store_full,           // no space or quota left at the provider
  too_large,            // a body, key or reply over a limit
  throttled,            // 429, SlowDown: definitely not executed, worth repeating later
  unavailable,          // refused connection, DNS, TLS set-up, 503: not executed
  timeout,              // outcome unknown
  interrupted,          // the connection broke in the middle: outcome unknown
  server_error,         // 500 and its kin: outcome unknown
  bad_reply,            // a reply that does not parse or contradicts itself: outcome unknown
  cancelled,            // the caller asked to stop: outcome unknown
  bad_audio,            // bytes that are not audio, or damaged
  decoder_limit,        // decoding took longer, or more memory, than it may
  decoder_died,         // the decoder crashed, or its reply made no sense
  internal,             // a bug of ours
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, std::string detail = {}, std::string hint = {})
      : kind_(kind), message_(std::move(message)), detail_(std::move(detail)), hint_(std::move(hint)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  ErrorKind kind() const noexcept { return kind_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  ErrorKind kind_;
  std::string message_;  // lowercase, no full stop, never a secret
  std::string detail_;   // what was seen
  std::string hint_;     // what to do
};

// True where the request may or may not have taken effect at the store.
constexpr bool outcome_unknown(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::timeout:
    case ErrorKind::interrupted:
    case ErrorKind::server_error:
    case ErrorKind::bad_reply:
    case ErrorKind::cancelled:
    case ErrorKind::internal: return true;
    default: return false;
  }
}

// True where repeating the same call later may succeed without anybody changing anything.
constexpr bool transient(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::throttled:
    case ErrorKind::unavailable:
    case ErrorKind::timeout:
    case ErrorKind::interrupted:
    case ErrorKind::server_error:
    case ErrorKind::bad_reply:
    case ErrorKind::cancelled:
    case ErrorKind::store_full: return true;
    default: return false;
  }
}

// True where every call to this store would fail alike: the store is paused as a whole.
constexpr bool concerns_whole_store(ErrorKind kind) noexcept {
  return kind == ErrorKind::no_such_bucket || kind == ErrorKind::access_denied || kind == ErrorKind::unavailable;
}

}  // namespace audiostore
