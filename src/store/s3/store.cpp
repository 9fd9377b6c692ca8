#include "store/s3/store.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "store/s3/reply.hpp"

namespace audiostore::store::s3 {
namespace {

constexpr std::size_t kMaxKeyBytes = 1024;
constexpr std::size_t kMaxListPage = 1000;
constexpr std::chrono::seconds kBucketCheckEvery{60};

Error bad_reply(std::string what, std::string detail) {
  return {ErrorKind::bad_reply, std::move(what), std::move(detail)};
}

Error beyond_end(const std::string& what, std::uint64_t start, std::optional<std::uint64_t> size) {
  std::string detail = "The range starts at " + std::to_string(start);
  if (size) detail += "; the object has " + std::to_string(*size) + " bytes";
  return {ErrorKind::invalid_argument, what + ": the range starts beyond its end", detail + "."};
}

// That the bytes which come are those that were asked for.
void check_range(const http::Response& reply, const Range& range, const std::string& heading) {
  const bool ranged = range.start > 0 || range.length;
  const bool empty_object =
      reply.status == 200 && range.start == 0 && http::find(reply.headers, "content-length") == "0";
  if (reply.status != (ranged ? 206 : 200) && !empty_object) {
    throw bad_reply(heading, "The server answered " + std::to_string(reply.status) + " to a request for " +
                                 (ranged ? "a range." : "the whole object."));
  }
  if (!ranged || empty_object) return;
  const ContentRange got = read_content_range(reply);
  const std::uint64_t left = got.total - std::min(got.total, range.start);
  const std::uint64_t expected = std::min(range.length.value_or(left), left);
  if (got.first != range.start || got.last - got.first + 1 != expected) {
    throw bad_reply(heading, "The server sent another range than the one asked for.");
  }
}

}  // namespace

S3Store::S3Store(const Config& config, Surroundings surroundings, std::unique_ptr<CredentialSource> source,
                 Limits limits)
    : name_(config.name),
      common_(config.common),
      options_(read_options(config)),
      limits_(limits),
      surroundings_(surroundings),
      source_(std::move(source)) {}

std::string S3Store::full_key(std::string_view key) const {
  std::string whole = common_.prefix;
  whole += key;
  std::string_view why;
  if (key.empty()) why = "It is empty.";
  if (whole.size() > kMaxKeyBytes) why = "It is longer than 1024 bytes (with the store's prefix).";
  if (whole.find('\0') != std::string::npos) why = "It contains a NUL byte.";
  if (!is_utf8(whole)) why = "It is not valid UTF-8.";
  if (why.empty()) return whole;
  throw Error(ErrorKind::invalid_key, "key \"" + printable(key, 100) + "\" cannot be used in an S3 store",
              std::string(why));
}

std::string S3Store::what(const char* verb, std::string_view key) const {
  return std::string("could not ") + verb + " object \"" + printable(key, 300) + "\" of store \"" + name_ + "\"";
}

Attributes S3Store::attributes_of(const PutOptions& options) const {
  const bool own = options.storage_class.empty();
  if (!own) check_storage_class(options.storage_class);
  return {
      options.content_type, options.metadata, {}, own ? options_.storage_class : options.storage_class, options_.sse};
}

Task<ObjectInfo> S3Store::put(std::string key, Body body, PutOptions options) {
  if (body.size() > limits_.multipart_above) {
    Task<ObjectInfo> in_parts = put_in_parts(std::move(key), body, std::move(options));
    co_return co_await in_parts;
  }
  const Attributes attributes = attributes_of(options);
  Bytes buffer;
  Call call = put_object(options_.location, full_key(key), body.read(0, body.size(), buffer), attributes);
  Task<http::Response> sending = expect_ok(std::move(call), Sending{}, what("put", key));
  const http::Response response = co_await sending;
  ObjectInfo info;
  info.etag = unquote(http::find(response.headers, "etag").value_or(""));
  info.key = std::move(key);
  info.size = body.size();
  info.last_modified = surroundings_.clock->now();
  info.storage_class = attributes.storage_class.empty() ? "STANDARD" : attributes.storage_class;
  info.content_type = attributes.content_type;
  info.metadata = std::move(options.metadata);
  co_return info;
}

Task<ObjectInfo> S3Store::get(std::string key, Range range, Sink sink) {
  if (range.length == 0U) {
    Task<ObjectInfo> nothing = get_nothing(std::move(key), range);
    co_return co_await nothing;
  }
  const std::string heading = what("get", key);
  std::uint64_t received = 0;
  Sending sending{Repeat::yes, {}, {}, {}};
  sending.sink = [&sink, &received](BytesView piece) {
    received += piece.size();
    sink(piece);
  };
  sending.inspect = [&heading, &range](const http::Response& reply) { check_range(reply, range, heading); };
  Call call = get_object(options_.location, full_key(key), range);
  Task<http::Response> exchanging = exchange(std::move(call), std::move(sending));
  const http::Response response = co_await exchanging;
  if (response.status == 416) {
    // An empty object has no first byte, but asking for its start is no mistake.
    Task<std::optional<ObjectInfo>> heading_for_size = head(key);
    std::optional<ObjectInfo> info = co_await heading_for_size;
    if (info && info->size == 0 && range.start == 0) co_return *std::move(info);
    throw beyond_end(heading, range.start, info ? std::optional(info->size) : std::nullopt);
  }
  if (!response.ok()) throw to_error(read_failure(response), heading);
  check_range(response, range, heading);
  if (response.status != 206 && !http::find(response.headers, "content-length")) {
    throw bad_reply(heading, "The reply does not say how long the object is.");
  }
  ObjectInfo info = read_object_headers(response, std::move(key));
  std::uint64_t expected = info.size;
  if (response.status == 206) {
    const ContentRange got = read_content_range(response);
    expected = got.last - got.first + 1;
  }
  if (received != expected) {
    throw bad_reply(heading, "The server sent another number of bytes than it said.");
  }
  co_return info;
}

// A range without bytes cannot be asked for: only whether it lies in the object.
Task<ObjectInfo> S3Store::get_nothing(std::string key, Range range) {
  const std::string heading = what("get", key);
  Task<std::optional<ObjectInfo>> asking = head(std::move(key));
  std::optional<ObjectInfo> info = co_await asking;
  if (!info) throw Error(ErrorKind::not_found, heading, "There is no such object.");
  if (range.start > 0 && range.start >= info->size) throw beyond_end(heading, range.start, info->size);
  co_return *std::move(info);
}

// 404 when the object is absent. The reply to a HEAD cannot say whether the bucket is, so this asks.
Task<http::Response> S3Store::head_reply(std::string key, std::string what) const {
  Call call = head_object(options_.location, key);
  Task<http::Response> asking = exchange(std::move(call), Sending{Repeat::yes, {}, {}, {}});
  http::Response response = co_await asking;
  const TimePoint now = surroundings_.clock->now();
  if (response.ok()) bucket_seen_ = now;
  if (response.ok() || (response.status == 404 && bucket_seen_ && now - *bucket_seen_ < kBucketCheckEvery)) {
    co_return response;
  }
  if (response.status != 404) throw to_error(read_failure(response), std::move(what));
  Call bucket = head_bucket(options_.location);
  Task<http::Response> asking_bucket = exchange(std::move(bucket), Sending{Repeat::yes, {}, {}, {}});
  const http::Response bucket_reply = co_await asking_bucket;
  if (bucket_reply.status == 404) {
    throw Error(ErrorKind::no_such_bucket, std::move(what), "Bucket \"" + options_.bucket + "\" does not exist.",
                "Check the options bucket, region and endpoint.");
  }
  // Without permission to see the bucket itself the object's own 404 has to do.
  if (!bucket_reply.ok() && bucket_reply.status != 403) throw to_error(read_failure(bucket_reply), std::move(what));
  bucket_seen_ = now;
  co_return response;
}

Task<std::optional<ObjectInfo>> S3Store::head(std::string key) {
  Task<http::Response> asking = head_reply(full_key(key), what("look at", key));
  const http::Response response = co_await asking;
  if (!response.ok()) co_return std::nullopt;
  co_return read_object_headers(response, std::move(key));
}

// A page's `resume` is the id of its last upload and its key, with a space in between: ids have none.
Task<ListPage> S3Store::list_unfinished(ListQuery query) const {
  const std::size_t space = query.after.find(' ');
  UploadMarker after;
  if (space != std::string::npos) {
    after = {common_.prefix + query.after.substr(space + 1),
             uri_decode(query.after.substr(0, space), Plus::literal).value_or(std::string())};
  }
  const std::string prefix = common_.prefix + query.prefix;
  Call call = list_uploads(options_.location, prefix, after, std::clamp<std::size_t>(query.limit, 1, kMaxListPage));
  Task<http::Response> asking = expect_ok(std::move(call), Sending{Repeat::yes, {}, {}, {}},
                                          "could not list the unfinished uploads of store \"" + name_ + "\"");
  const http::Response response = co_await asking;
  Listing listing = read_uploads(response.body, prefix, after.key);
  ListPage page;
  page.more = listing.truncated;
  page.objects = std::move(listing.objects);
  for (ObjectInfo& upload : page.objects) upload.key.erase(0, common_.prefix.size());
  if (page.more) {
    const ObjectInfo& last = page.objects.back();
    page.resume = uri_encode(last.etag, Slash::encode) + " " + last.key;
  }
  co_return page;
}

Task<ListPage> S3Store::list(ListQuery query) {
  if (query.unfinished) {
    Task<ListPage> unfinished = list_unfinished(std::move(query));
    co_return co_await unfinished;
  }
  const std::size_t limit = std::min(query.limit, kMaxListPage);
  ListPage page;
  if (limit == 0) {
    page.more = true;
    page.resume = query.after;
    co_return page;
  }
  const std::string prefix = common_.prefix + query.prefix;
  const std::string after = common_.prefix + query.after;
  Call call = list_objects(options_.location, prefix, after, limit);
  Task<http::Response> asking =
      expect_ok(std::move(call), Sending{Repeat::yes, {}, {}, {}}, "could not list store \"" + name_ + "\"");
  const http::Response response = co_await asking;
  Listing listing = read_listing(response.body, prefix, after);
  bucket_seen_ = surroundings_.clock->now();
  for (ObjectInfo& object : listing.objects) object.key.erase(0, common_.prefix.size());
  page.more = listing.truncated;
  page.objects = std::move(listing.objects);
  if (page.more) page.resume = page.objects.back().key;
  co_return page;
}

std::string S3Store::signed_url(const SignedUrlRequest& request) const {
  const auto& methods = {"GET", "HEAD", "PUT", "DELETE"};
  if (std::find(methods.begin(), methods.end(), request.method) == methods.end()) {
    throw Error(ErrorKind::invalid_argument,
                "a URL cannot be signed for method \"" + printable(request.method, 20) + "\"", {},
                "Valid methods are GET, HEAD, PUT and DELETE.");
  }
  const std::string whole = full_key(request.key);
  if (source_->at_hand() == nullptr || !source_->usable(surroundings_.clock->now())) {
    throw Error(ErrorKind::unavailable, "the credentials of store \"" + name_ + "\" are not at hand",
                "They come from the machine's role and are fetched with the first request to the store.",
                "Call audiostore.head_object() or audiostore.verify_store() on this store in this session first.");
  }
  thread_local std::string origin;
  thread_local std::string path;
  origin = options_.public_location.origin();
  path = path_of(options_.public_location, whole);
  return signer_at_hand().presign({.method = request.method,
                                   .origin = origin,
                                   .host = options_.public_location.host,
                                   .path = path,
                                   .expires_in = request.expires_in,
                                   .at = request.at,
                                   .headers = &request.headers,
                                   .query = &request.query});
}

}  // namespace audiostore::store::s3
