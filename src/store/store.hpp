// The store interface: ten calls that every provider has. Keys are relative to the store's prefix; a driver
// puts the prefix on and takes it off. All calls are tasks: a driver without sockets (local) completes them
// before start() returns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "store/body.hpp"

namespace audiostore::store {

using Metadata = std::map<std::string, std::string>;

struct ObjectInfo {
  std::string key;
  std::uint64_t size = 0;
  std::string etag;  // without quotes; empty where the provider has none
  TimePoint last_modified{};
  std::string storage_class;  // as the provider names it; STANDARD where it has none
  std::string content_type;   // head only
  Metadata metadata;          // head only
};

struct PutOptions {
  std::string content_type;  // empty: application/octet-stream
  Metadata metadata;
  std::string storage_class;  // empty: the store's own
};

struct Range {
  std::uint64_t start = 0;
  std::optional<std::uint64_t> length;  // none: to the end
};

using Sink = std::function<void(BytesView)>;

struct ListQuery {
  std::string prefix;
  std::string after;         // keys strictly greater than this, in byte order
  std::size_t limit = 1000;  // at most; a driver may return fewer
  // Instead of objects, the uploads that were begun and neither completed nor given up: by key, `etag` is the upload's
  // id, `last_modified` the time of its beginning, and several may have one key. `after` is a page's `resume`, or empty.
  bool unfinished = false;
};

struct ListPage {
  std::vector<ObjectInfo> objects;  // in byte order of the key
  bool more = false;                // list again after the last key
  std::string resume;               // the `after` that continues, where more
};

// One key's outcome in a batch; no error means that the object is gone (absent before counts as gone).
struct RemoveOutcome {
  std::string key;
  std::optional<Error> error;
};

struct SignedUrlRequest {
  std::string method = "GET";  // GET, HEAD, PUT, DELETE
  std::string key;
  std::chrono::seconds expires_in{3600};
  std::map<std::string, std::string> headers;  // the client must send these exactly
  std::map<std::string, std::string> query;    // e.g. response-content-disposition
  TimePoint at{};
};

class Store {
 public:
  virtual ~Store() = default;

  // Throws Error(invalid_key) when this store cannot hold the key; no network. The calls below check it again.
  virtual void check_key(std::string_view key) const;

  // Atomic: readers see the old object or the new one. What `body` views stays alive until the task is done. Large
  // bodies go in parts; a failure aborts the unfinished upload.
  virtual Task<ObjectInfo> put(std::string key, Body body, PutOptions options) = 0;

  // Delivers the range to the sink and returns the object's description (size: of the whole object).
  // not_found when absent; invalid_argument when the range starts beyond the end.
  virtual Task<ObjectInfo> get(std::string key, Range range, Sink sink) = 0;

  virtual Task<std::optional<ObjectInfo>> head(std::string key) = 0;

  virtual Task<ListPage> list(ListQuery query) = 0;

  // At most max_remove_batch() keys; one outcome for each key, in the order given. Throws only when the
  // request as a whole failed.
  virtual Task<std::vector<RemoveOutcome>> remove(std::vector<std::string> keys) = 0;

  // Server-side copy into a store for which can_copy_to() holds; metadata and content type go along. not_found
  // when the source is absent.
  virtual Task<void> copy(std::string key, const Store& to, std::string to_key) = 0;

  virtual Task<void> set_storage_class(std::string key, std::string storage_class) = 0;

  virtual std::string signed_url(const SignedUrlRequest& request) const = 0;

  virtual bool can_copy_to(const Store& to) const = 0;
  virtual std::size_t max_remove_batch() const = 0;
  // Whether listings of different ranges of keys are faster side by side than one after the other.
  virtual bool lists_side_by_side() const { return true; }
};

}  // namespace audiostore::store
