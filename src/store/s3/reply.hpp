// S3's replies, read as hostile input: what does not parse or contradicts the request is ErrorKind::bad_reply.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "http/message.hpp"
#include "store/store.hpp"

namespace audiostore::store::s3 {

struct Failure {
  int status = 0;
  std::string code;  // S3's, e.g. NoSuchKey; empty where the reply has none
  std::string message;
  std::string request_id;
  std::string region;  // where a redirect or a signature error says the bucket is
};

// From a reply that is not 2xx, or that has an <Error> inside a 200.
Failure read_failure(const http::Response& response);

ErrorKind kind_of(int status, std::string_view code);

// `what` begins the message: "could not put object ...". The code, the server's words and the request's id
// become DETAIL.
Error to_error(const Failure& failure, std::string what);

// The size from Content-Range or Content-Length; everything else a HEAD or GET tells about an object.
ObjectInfo read_object_headers(const http::Response& response, std::string key);

struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t total = 0;
};
// "bytes 0-99/1234"; throws bad_reply.
ContentRange read_content_range(const http::Response& response);

struct Listing {
  std::vector<ObjectInfo> objects;  // whole keys, prefix included
  bool truncated = false;
};
// Every key must have the prefix, come after `after`, and be in strict byte order.
Listing read_listing(BytesView body, std::string_view prefix, std::string_view after);

// Of ListMultipartUploads: `etag` of an entry is its upload id. Keys must have the prefix and not go back.
Listing read_uploads(BytesView body, std::string_view prefix, std::string_view after);

struct RemoveFailure {
  std::string key;
  Failure failure;
};
// The keys that a DeleteObjects reply says were not deleted, and those that it says were.
struct RemoveReply {
  std::vector<RemoveFailure> failed;
  std::vector<std::string> removed;
};
RemoveReply read_remove_reply(BytesView body);

// An entity tag without its quotes.
std::string unquote(std::string_view etag);

std::string read_upload_id(BytesView body);
// The ETag in a CopyObjectResult, CopyPartResult or CompleteMultipartUploadResult (there it may be empty).
// Nothing when the reply is an <Error> although its status is 200.
std::optional<std::string> read_result_etag(BytesView body, std::string_view root);

}  // namespace audiostore::store::s3
