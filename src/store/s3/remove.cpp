// Batched deletes. A reply of 200 says only that the request was understood: each key's outcome is in its body,
// and keys that XML cannot carry go in requests of their own.
#include <algorithm>
#include <unordered_map>

#include "base/encoding.hpp"
#include "base/gather.hpp"
#include "base/xml.hpp"
#include "store/s3/reply.hpp"
#include "store/s3/store.hpp"

namespace audiostore::store::s3 {
namespace {

constexpr std::size_t kParallelSingleDeletes = 8;

Error bad_reply(std::string what, std::string detail) {
  return {ErrorKind::bad_reply, std::move(what), std::move(detail)};
}

}  // namespace

Task<std::vector<RemoveOutcome>> S3Store::remove(std::vector<std::string> keys) {
  if (keys.size() > max_remove_batch()) {
    throw Error(ErrorKind::internal, "more than 1000 keys in one batch of deletes");
  }
  std::vector<RemoveOutcome> outcomes;
  outcomes.reserve(keys.size());
  std::vector<std::size_t> batch;
  std::vector<std::size_t> singles;  // keys that XML cannot carry
  batch.reserve(keys.size());
  for (std::string& key : keys) {
    outcomes.push_back({std::move(key), std::nullopt});
    RemoveOutcome& outcome = outcomes.back();
    try {
      full_key(outcome.key);
      (xml::can_carry(common_.prefix) && xml::can_carry(outcome.key) ? batch : singles).push_back(outcomes.size() - 1);
    } catch (const Error& error) {
      outcome.error = error;
    }
  }
  if (!batch.empty()) {
    Task<void> batched = remove_batch(&outcomes, std::move(batch));
    co_await batched;
  }
  for (std::size_t at = 0; at < singles.size(); at += kParallelSingleDeletes) {
    std::vector<Task<void>> group;
    for (std::size_t i = at; i < std::min(singles.size(), at + kParallelSingleDeletes); ++i) {
      RemoveOutcome* const outcome = &outcomes[singles[i]];
      group.push_back(remove_one(outcome->key, outcome));
    }
    Task<void> gathered = gather(std::move(group));
    co_await gathered;
  }
  co_return outcomes;
}

Task<void> S3Store::remove_one(std::string key, RemoveOutcome* outcome) const {
  try {
    Call call = delete_object(options_.location, full_key(key));
    Task<http::Response> deleting = exchange(std::move(call), Sending{});
    const http::Response response = co_await deleting;
    if (response.ok()) co_return;
    const Failure failure = read_failure(response);
    if (failure.code != "NoSuchKey") outcome->error = to_error(failure, what("delete", key));
  } catch (const Error& error) {
    outcome->error = error;
  }
}

Task<void> S3Store::remove_batch(std::vector<RemoveOutcome>* outcomes, std::vector<std::size_t> which) const {
  std::vector<std::string_view> keys;
  keys.reserve(which.size());
  for (const std::size_t index : which) keys.push_back((*outcomes)[index].key);
  Call call = delete_objects(options_.location, common_.prefix, keys);
  const std::string heading = "could not delete objects of store \"" + name_ + "\"";
  Task<http::Response> deleting = expect_ok(std::move(call), Sending{}, heading);
  const http::Response response = co_await deleting;
  const RemoveReply reply = read_remove_reply(response.body);
  if (reply.failed.empty() && reply.removed.empty()) co_return;

  // A reply about other keys than ours is not the reply to this request, whatever else it says.
  std::unordered_multimap<std::string_view, std::size_t> index_of;
  for (std::size_t i = 0; i < keys.size(); ++i) index_of.emplace(keys[i], which[i]);
  const auto relative = [&](const std::string& whole) {
    const std::string_view key = std::string_view(whole).substr(std::min(whole.size(), common_.prefix.size()));
    if (!whole.starts_with(common_.prefix) || !index_of.contains(key)) {
      throw bad_reply(heading,
                      "The reply names the key \"" + printable(whole, 300) + "\", which was not in the request.");
    }
    return key;
  };
  for (const std::string& removed : reply.removed) relative(removed);
  for (const RemoveFailure& failed : reply.failed) {
    const std::string_view key = relative(failed.key);
    if (failed.failure.code == "NoSuchKey") continue;
    const auto [first, last] = index_of.equal_range(key);
    for (auto it = first; it != last; ++it) {
      (*outcomes)[it->second].error = to_error(failed.failure, what("delete", key));
    }
  }
}

}  // namespace audiostore::store::s3
