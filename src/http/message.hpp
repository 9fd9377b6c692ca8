// Requests and responses as values. A request is complete and already signed: the client adds nothing but
// Host, Content-Length and the connection's own headers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace audiostore::http {

enum class Method { get, head, put, post, del };
std::string_view method_name(Method method);

struct Header {
  std::string name;
  std::string value;
};
using Headers = std::vector<Header>;

// First header of that name, case-insensitive.
std::optional<std::string_view> find(const Headers& headers, std::string_view name);

struct Response {
  int status = 0;
  Headers headers;
  Bytes body;

  bool ok() const { return status >= 200 && status < 300; }
};

struct Request {
  Method method = Method::get;
  std::string url;  // absolute, percent-encoded; its path goes out exactly as written
  Headers headers;
  Bytes body;
  // Instead of body: a view that the caller keeps alive until the task is done (a part of a large put).
  BytesView body_view;
  // The whole exchange, from connecting to the last byte; with a sink, which may take any length, the longest
  // time without a byte.
  std::chrono::milliseconds timeout{30000};
  // Where a 2xx body goes, piece by piece; it may throw (the task then ends with that exception), but must not
  // start or destroy tasks. Without it the body is collected in Response::body, up to
  // max_body octets (more is ErrorKind::too_large). Error replies are always collected, up to 64 KiB.
  std::function<void(BytesView)> sink;
  std::uint64_t max_body = std::uint64_t{64} << 20;
  // Sees status and headers of a 2xx reply before the first byte of its body; may throw as a sink may.
  std::function<void(const Response&)> inspect;
  std::string ca_file;  // instead of the system's trust store

  BytesView payload() const { return body_view.data() != nullptr ? body_view : BytesView(body); }
};

}  // namespace audiostore::http
