#include "outbox/execute.hpp"

#include "base/spool.hpp"

namespace audiostore::outbox {
namespace {

// Below the data directory, where this process is.
constexpr const char* kTemporaryFiles = "base/pgsql_tmp";

// What is known of a copy before anybody looks at it.
struct Expected {
  std::optional<std::uint64_t> size;
  std::string etag;  // empty: not known
};

// Of the whole object; others, such as those of objects made of parts, may be written in more than one way.
bool is_digest(std::string_view etag) {
  return etag.size() == 32 && etag.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Between two stores that cannot copy between themselves.
Task<Expected> transfer(store::Store& from, std::string key, store::Store& to, std::string to_key) {
  Spool spool(kTemporaryFiles);
  store::Sink const sink = [&spool](BytesView piece) { spool.append(piece); };
  auto get = from.get(key, store::Range{}, sink);
  store::ObjectInfo const got = co_await get;
  auto head = from.head(key);
  std::optional<store::ObjectInfo> const info = co_await head;
  store::PutOptions options;
  options.content_type = info ? info->content_type : got.content_type;
  if (info) options.metadata = info->metadata;
  auto put = to.put(to_key, store::Body(spool.fd(), spool.size()), options);
  store::ObjectInfo written = co_await put;
  co_return Expected{.size = spool.size(), .etag = std::move(written.etag)};
}

Task<Expected> copy_inside(store::Store& from, std::string key, store::Store& to, std::string to_key) {
  auto call = from.copy(key, to, to_key);
  co_await call;
  auto source_call = from.head(key);
  std::optional<store::ObjectInfo> const source = co_await source_call;
  Expected expected;
  if (source) expected.size = source->size;
  co_return expected;
}

// The copy is there, whole, before anybody may let go of its source: a store's word that it was written is not enough.
Task<void> copy(store::Store& from, std::string key, store::Store& to, std::string to_key) {
  auto call = from.can_copy_to(to) ? copy_inside(from, key, to, to_key) : transfer(from, key, to, to_key);
  Expected const expected = co_await call;
  auto target_call = to.head(to_key);
  std::optional<store::ObjectInfo> const target = co_await target_call;
  std::string_view wrong;
  if (!target) {
    wrong = "The copy is missing.";
  } else if (expected.size && target->size != *expected.size) {
    wrong = "Their sizes differ.";
  } else if (is_digest(expected.etag) && is_digest(target->etag) && target->etag != expected.etag) {
    wrong = "It has another entity tag than the store gave to what was sent.";
  }
  if (wrong.empty()) co_return;
  throw Error(ErrorKind::bad_reply, "the copy of object \"" + key + "\" is not what its source is", std::string(wrong));
}

Task<void> execute_one(Batch& batch, Operation& operation) {
  store::Store& store = *batch.source->store;
  switch (operation.kind) {
    case Kind::put: {
      auto call = store.put(operation.key, operation.payload, operation.options);
      co_await call;
      break;
    }
    case Kind::copy:
    case Kind::move: {
      auto call = copy(store, operation.key, *batch.target->store, operation.target);
      co_await call;
      break;
    }
    case Kind::set_class: {
      auto call = store.set_storage_class(operation.key, operation.target);
      co_await call;
      break;
    }
    case Kind::del: break;
  }
}

Task<void> remove_all(Batch& batch) {
  std::vector<std::string> keys;
  keys.reserve(batch.operations.size());
  for (Operation const& operation : batch.operations) keys.push_back(operation.key);
  auto call = batch.source->store->remove(std::move(keys));
  std::vector<store::RemoveOutcome> outcomes = co_await call;
  for (std::size_t i = 0; i < batch.errors.size(); i++) {
    if (i >= outcomes.size()) {
      batch.errors[i] = Error(ErrorKind::bad_reply, "the store did not answer for every key of a batch delete");
    } else {
      batch.errors[i] = std::move(outcomes[i].error);
    }
  }
}

}  // namespace

Task<void> execute(Batch& batch) {
  batch.sent = true;
  batch.errors.assign(batch.operations.size(), std::nullopt);
  std::optional<Error> failure;
  try {
    if (batch.operations.front().kind == Kind::del) {
      auto call = remove_all(batch);
      co_await call;
    } else {
      auto call = execute_one(batch, batch.operations.front());
      co_await call;
    }
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error(ErrorKind::internal, std::string("unexpected failure: ") + error.what());
  }
  if (failure) batch.errors.assign(batch.operations.size(), failure);
}

}  // namespace audiostore::outbox
