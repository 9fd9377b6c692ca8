// Large objects in parts: several on the wire at once, all or nothing. A failure aborts the upload, because
// its parts are paid for until somebody does; a task that is destroyed in the middle cannot, so the upload
// is then left to the bucket's lifecycle rule for incomplete uploads.
#include <algorithm>

#include "base/gather.hpp"
#include "store/s3/reply.hpp"
#include "store/s3/store.hpp"

namespace audiostore::store::s3 {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// S3 puts the object together before it answers.
constexpr std::chrono::seconds kTimeToComplete{120};
constexpr std::uint64_t kCopiedPerSecond = 16 * kMiB;

// Of the headers of a HEAD, those that describe the object and are not its metadata or type.
http::Headers kept_headers(const http::Response& head) {
  http::Headers kept;
  for (const char* name : {"cache-control", "content-disposition", "content-encoding", "content-language", "expires"}) {
    if (const auto value = http::find(head.headers, name)) kept.push_back({name, std::string(*value)});
  }
  return kept;
}

}  // namespace

// What all the parts share: the bytes come from data or, server side, from a source object.
struct S3Store::Upload {
  std::string key;  // whole
  std::string what;
  std::uint64_t size = 0;
  std::uint64_t part_size = 0;
  Body body{BytesView()};
  std::optional<CopySource> source;
  Attributes attributes;
  std::string id;
  std::vector<Part> parts;
  std::size_t next = 0;
  bool failed = false;
  std::string etag;  // of the whole, once complete
};

std::uint64_t S3Store::part_size_for(std::uint64_t size, std::uint64_t preferred) const {
  const std::uint64_t least = (size + limits_.max_parts - 1) / limits_.max_parts;
  if (least <= preferred) return preferred;
  return (least + kMiB - 1) / kMiB * kMiB;
}

Task<ObjectInfo> S3Store::put_in_parts(std::string key, Body body, PutOptions options) const {
  Upload upload;
  upload.key = full_key(key);
  upload.what = what("put", key);
  upload.size = body.size();
  upload.part_size = part_size_for(body.size(), limits_.part_size);
  upload.body = body;
  upload.attributes = attributes_of(options);
  Task<void> running = run_upload(&upload);
  co_await running;
  ObjectInfo info;
  info.key = std::move(key);
  info.size = body.size();
  info.etag = upload.etag;
  info.last_modified = surroundings_.clock->now();
  info.storage_class = upload.attributes.storage_class.empty() ? "STANDARD" : upload.attributes.storage_class;
  info.content_type = options.content_type;
  info.metadata = std::move(options.metadata);
  co_return info;
}

Task<void> S3Store::copy_in_parts(CopyJob job) const {
  ObjectInfo source = read_object_headers(job.head, job.from_key);
  Upload upload;
  upload.key = job.to_key;
  upload.what = what("copy", job.from_key);
  upload.size = source.size;
  upload.part_size = part_size_for(source.size, limits_.copy_part_size);
  upload.source = CopySource{options_.bucket, job.from_key, source.etag};
  upload.attributes = {source.content_type, std::move(source.metadata), kept_headers(job.head), job.storage_class,
                       job.to->options_.sse};
  Task<void> running = job.to->run_upload(&upload);
  co_await running;
}

Task<void> S3Store::run_upload(Upload* upload) const {
  Call call = create_upload(options_.location, upload->key, upload->attributes);
  Task<http::Response> creating = expect_ok(std::move(call), Sending{Repeat::yes, {}, {}, {}}, upload->what);
  const http::Response created = co_await creating;
  upload->id = read_upload_id(created.body);
  std::optional<Error> error;
  try {
    Task<void> sending = send_parts(upload);
    co_await sending;
    Task<std::string> completing = complete(upload);
    upload->etag = co_await completing;
    co_return;
  } catch (const Error& caught) {
    error = caught;
  }
  Task<std::optional<Error>> aborting = abort(upload);
  const std::optional<Error> left = co_await aborting;
  if (!left) throw Error(*error);
  throw Error(error->kind(), error->message(),
              error->detail() + " Its unfinished upload could not be removed: " + left->message() + ".", error->hint());
}

Task<void> S3Store::send_parts(Upload* upload) const {
  const std::size_t count = (upload->size + upload->part_size - 1) / upload->part_size;
  upload->parts.resize(count);
  // Each lane takes the next part until there is none; after a failure they end with the part they are at.
  const auto lane = [](const S3Store* self, Upload* shared) -> Task<void> {
    while (!shared->failed && shared->next < shared->parts.size()) {
      Task<void> sending = self->send_part(shared, shared->next++);
      try {
        co_await sending;
      } catch (...) {
        shared->failed = true;
        throw;
      }
    }
  };
  std::vector<Task<void>> lanes;
  for (std::size_t i = 0; i < std::min(count, limits_.parallel_parts); ++i) lanes.push_back(lane(this, upload));
  Task<void> gathered = gather(std::move(lanes));
  co_await gathered;
}

Task<void> S3Store::send_part(Upload* upload, std::size_t index) const {
  const std::uint64_t first = index * upload->part_size;
  const std::uint64_t length = std::min(upload->part_size, upload->size - first);
  const int number = static_cast<int>(index) + 1;
  Sending sending{Repeat::yes, {}, {}, {}};
  Call call;
  Bytes buffer;
  if (upload->source) {
    call = copy_part(options_.location, upload->key, upload->id, number, *upload->source, first, first + length - 1);
    sending.more_time = std::chrono::seconds{length / kCopiedPerSecond};
  } else {
    call = upload_part(options_.location, upload->key, upload->id, number, upload->body.read(first, length, buffer));
  }
  Task<http::Response> exchanging = expect_ok(std::move(call), std::move(sending), upload->what);
  const http::Response response = co_await exchanging;
  std::string etag;
  if (upload->source) {
    const auto result = read_result_etag(response.body, "CopyPartResult");
    if (!result) throw to_error(read_failure(response), upload->what);
    etag = *result;
  } else {
    etag = unquote(http::find(response.headers, "etag").value_or(""));
  }
  if (etag.empty()) throw Error(ErrorKind::bad_reply, upload->what, "The server did not give an ETag for a part.");
  upload->parts[index] = {number, std::move(etag)};
}

Task<std::string> S3Store::complete(const Upload* upload) const {
  Call call = complete_upload(options_.location, upload->key, upload->id, upload->parts);
  Task<http::Response> exchanging =
      expect_ok(std::move(call), Sending{Repeat::no, kTimeToComplete, {}, {}}, upload->what);
  const http::Response response = co_await exchanging;
  auto etag = read_result_etag(response.body, "CompleteMultipartUploadResult");
  if (!etag) throw to_error(read_failure(response), upload->what);
  co_return *std::move(etag);
}

Task<std::optional<Error>> S3Store::abort(const Upload* upload) const {
  try {
    Call call = abort_upload(options_.location, upload->key, upload->id);
    Task<http::Response> exchanging = exchange(std::move(call), Sending{Repeat::yes, {}, {}, {}});
    const http::Response response = co_await exchanging;
    const Failure failure = response.ok() ? Failure{} : read_failure(response);
    if (response.ok() || failure.code == "NoSuchUpload") co_return std::nullopt;
    co_return to_error(failure, "the server refused it");
  } catch (const Error& error) {
    co_return error;
  }
}

}  // namespace audiostore::store::s3
