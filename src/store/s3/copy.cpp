// Copies inside one S3 server, and changes of storage class, which are copies of an object onto itself. Both
// look at the source first: its size decides how, its entity tag makes sure that it is still the same.
#include "store/s3/reply.hpp"
#include "store/s3/store.hpp"

namespace audiostore::store::s3 {
namespace {

// What a copy of so many bytes may take on top of the request's timeout: S3 answers when it is done.
constexpr std::uint64_t kCopiedPerSecond = std::uint64_t{16} << 20;

}  // namespace

bool S3Store::can_copy_to(const Store& to) const {
  const auto* const other = dynamic_cast<const S3Store*>(&to);
  if (other == nullptr || options_.endpoint != other->options_.endpoint) return false;
  const Credentials* const mine = source_->at_hand();
  const Credentials* const theirs = other->source_->at_hand();
  // Both from this machine's role before either was fetched: the same role.
  if (mine == nullptr || theirs == nullptr) return source_->can_refresh() && other->source_->can_refresh();
  return mine->access_key_id == theirs->access_key_id || (source_->can_refresh() && other->source_->can_refresh());
}

Task<void> S3Store::copy(std::string key, const Store& to, std::string to_key) {
  if (!can_copy_to(to)) {
    throw Error(ErrorKind::unsupported, what("copy", key),
                "The other store has another endpoint or other credentials.");
  }
  const auto& target = dynamic_cast<const S3Store&>(to);
  const std::string heading = what("copy", key);
  CopyJob job;
  job.from_key = full_key(key);
  job.to = &target;
  job.to_key = target.full_key(to_key);
  job.storage_class = target.options_.storage_class;
  Task<http::Response> asking = head_reply(job.from_key, heading);
  job.head = co_await asking;
  if (!job.head.ok()) throw Error(ErrorKind::not_found, heading, "There is no such object.");
  // S3 refuses to copy an object onto itself, and there is nothing to do.
  if (job.from_key == job.to_key && options_.bucket == target.options_.bucket) co_return;
  Task<void> copying = copy_whole(std::move(job));
  co_await copying;
}

Task<void> S3Store::set_storage_class(std::string key, std::string storage_class) {
  check_storage_class(storage_class);
  const std::string heading = what("set the storage class of", key);
  CopyJob job;
  job.from_key = full_key(key);
  job.to = this;
  job.to_key = job.from_key;
  job.storage_class = storage_class;
  Task<http::Response> asking = head_reply(job.from_key, heading);
  job.head = co_await asking;
  if (!job.head.ok()) throw Error(ErrorKind::not_found, heading, "There is no such object.");
  // Done before: S3 refuses a copy onto itself that changes nothing.
  if (read_object_headers(job.head, key).storage_class == storage_class) co_return;
  const std::string whole = job.from_key;
  std::optional<Error> error;
  try {
    Task<void> copying = copy_whole(std::move(job));
    co_await copying;
    co_return;
  } catch (const Error& caught) {
    if (transient(caught.kind())) throw;
    error = caught;
  }
  // An earlier request whose answer was lost may have been carried out since we looked: then this one changed nothing.
  Task<http::Response> looking = head_reply(whole, heading);
  const http::Response now = co_await looking;
  if (!now.ok() || read_object_headers(now, key).storage_class != storage_class) throw Error(*error);
}

Task<void> S3Store::copy_whole(CopyJob job) const {
  const ObjectInfo source = read_object_headers(job.head, job.from_key);
  if (source.size > limits_.copy_in_parts_above) {
    Task<void> in_parts = copy_in_parts(std::move(job));
    co_await in_parts;
    co_return;
  }
  const std::string heading = what("copy", job.from_key);
  Attributes attributes;
  attributes.storage_class = job.storage_class;
  attributes.sse = job.to->options_.sse;
  const CopySource from{options_.bucket, job.from_key, source.etag};
  Call call = copy_object(job.to->options_.location, job.to_key, from, attributes);
  const std::chrono::seconds more{source.size / kCopiedPerSecond};
  Task<http::Response> copying = job.to->expect_ok(std::move(call), Sending{Repeat::no, more, {}, {}}, heading);
  const http::Response response = co_await copying;
  if (!read_result_etag(response.body, "CopyObjectResult")) throw to_error(read_failure(response), heading);
}

}  // namespace audiostore::store::s3
