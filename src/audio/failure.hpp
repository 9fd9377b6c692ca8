// How the layer gives up: an exception that becomes the reply's status, message and detail in perform.cpp. It is not
// audiostore::Error, whose kinds are the server's; the server maps the status when it has checked the reply.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "audio/wire.hpp"

namespace audiostore::audio {

class Failure : public std::exception {
 public:
  Failure(wire::Status status, std::string message, std::string detail = {})
      : status_(status), message_(std::move(message)), detail_(std::move(detail)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  wire::Status status() const noexcept { return status_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }

 private:
  wire::Status status_;
  std::string message_;  // as PostgreSQL writes messages: lowercase, no full stop
  std::string detail_;
};

inline Failure damaged(std::string detail) { return {wire::Status::damaged, "audio is damaged", std::move(detail)}; }

inline Failure invalid_argument(std::string message, std::string detail = {}) {
  return {wire::Status::invalid_argument, std::move(message), std::move(detail)};
}

}  // namespace audiostore::audio
