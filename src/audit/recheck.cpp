#include "audit/recheck.hpp"

#include "audit/page_merge.hpp"
#include "base/gather.hpp"

namespace audiostore::audit {
namespace {

constexpr std::size_t kAtOnce = 16;
// Several hundred objects that nobody holds are looked at faster by listing them once more.
constexpr std::size_t kWorthListing = 64;

bool about_rows(Finding finding) {
  return finding == Finding::dangling_row || finding == Finding::size_mismatch || finding == Finding::wrong_bytes;
}

bool concerns(const Candidate& candidate, const RowEvidence& row) {
  return row.relation == candidate.relation && row.key_column == candidate.key_column;
}

// What a HEAD says has whole seconds, and no entity tag where the provider has none.
bool same_object(const store::ObjectInfo& a, const store::ObjectInfo& b) {
  using std::chrono::seconds;
  bool const same_tag = a.etag.empty() || b.etag.empty() || a.etag == b.etag;
  return a.size == b.size && same_tag &&
         std::chrono::floor<seconds>(a.last_modified) == std::chrono::floor<seconds>(b.last_modified);
}

Task<void> read_bytes(store::Store& store, Suspect& suspect) {
  Sha256 hash;
  store::Sink const sink = [&hash](BytesView piece) { hash.update(piece); };
  try {
    Task<store::ObjectInfo> getting = store.get(suspect.candidate.key, store::Range{}, sink);
    suspect.now = co_await getting;
    Sha256Digest const digest = hash.finish();
    suspect.digest = std::string(view(digest));
  } catch (const Error& error) {
    if (transient(error.kind())) throw;
    if (error.kind() != ErrorKind::not_found) {
      suspect.unreadable = error.detail().empty() ? error.message() : error.message() + ": " + error.detail();
    }
  }
}

Task<void> read_head(store::Store& store, Suspect& suspect) {
  try {
    Task<std::optional<store::ObjectInfo>> asking = store.head(suspect.candidate.key);
    suspect.now = co_await asking;
  } catch (const Error& error) {
    // What the store cannot hold it does not have.
    if (error.kind() != ErrorKind::invalid_key) throw;
  }
}

Task<void> read_upload(store::Store& store, Suspect& suspect) {
  store::ListQuery query{.prefix = suspect.candidate.key, .after = {}, .unfinished = true};
  for (;;) {
    Task<store::ListPage> listing = store.list(query);
    store::ListPage page = co_await listing;
    for (store::ObjectInfo& upload : page.objects) {
      if (upload.key == suspect.candidate.key && upload.etag == suspect.candidate.listed->etag) {
        suspect.now = std::move(upload);
        co_return;
      }
    }
    if (!page.more || page.resume == query.after) co_return;
    query.after = page.resume;
  }
}

// Up to the last of these, which are in byte order.
Task<void> list_again(store::Store& store, std::vector<Suspect*> orphans, KeySpan span) {
  std::size_t at = 0;
  store::ListQuery query{.prefix = std::move(span.prefix), .after = std::move(span.after)};
  while (at < orphans.size()) {
    Task<store::ListPage> listing = store.list(query);
    store::ListPage page = co_await listing;
    for (store::ObjectInfo& object : page.objects) {
      while (at < orphans.size() && orphans[at]->candidate.key < object.key) at++;
      if (at < orphans.size() && orphans[at]->candidate.key == object.key) orphans[at++]->now = std::move(object);
    }
    if (!page.more || page.resume <= query.after) co_return;
    query.after = page.resume;
  }
}

Task<void> ask_about(store::Store& store, Suspect& suspect) {
  switch (suspect.candidate.finding) {
    case Finding::wrong_bytes: {
      auto asking = read_bytes(store, suspect);
      co_await asking;
      break;
    }
    case Finding::unfinished_upload: {
      auto asking = read_upload(store, suspect);
      co_await asking;
      break;
    }
    default: {
      auto asking = read_head(store, suspect);
      co_await asking;
    }
  }
}

struct Shared {
  store::Store& store;
  std::vector<Suspect*> left;
  std::size_t next = 0;
  bool failed = false;
};

Task<void> work_off(Shared* shared) {
  while (!shared->failed && shared->next < shared->left.size()) {
    auto asking = ask_about(shared->store, *shared->left[shared->next++]);
    try {
      co_await asking;
    } catch (...) {
      shared->failed = true;
      throw;
    }
  }
}

}  // namespace

bool still_suspicious(const Candidate& candidate, const Evidence& evidence) {
  if (evidence.other_queued) return false;
  switch (candidate.finding) {
    case Finding::orphaned_object: return !evidence.held() && !evidence.delete_queued;
    case Finding::unfinished_upload: return true;
    default: break;
  }
  return std::any_of(evidence.rows.begin(), evidence.rows.end(), [&](const RowEvidence& row) {
    if (!concerns(candidate, row)) return false;
    if (candidate.finding == Finding::wrong_bytes) return !row.checksum.empty();
    return candidate.finding != Finding::size_mismatch || row.size.has_value();
  });
}

Task<void> ask_store(store::Store& store, Suspects& suspects, KeySpan span) {
  Shared shared{.store = store, .left = {}, .next = 0, .failed = false};
  std::vector<Suspect*> orphans;
  for (Suspect& suspect : suspects) {
    (suspect.candidate.finding == Finding::orphaned_object ? orphans : shared.left).push_back(&suspect);
  }
  if (store.lists_side_by_side() && orphans.size() >= kWorthListing) {
    auto listing = list_again(store, std::move(orphans), std::move(span));
    co_await listing;
  } else {
    shared.left.insert(shared.left.end(), orphans.begin(), orphans.end());
  }
  std::vector<Task<void>> workers;
  for (std::size_t i = 0; i < std::min(kAtOnce, shared.left.size()); i++) workers.push_back(work_off(&shared));
  Task<void> all = gather(std::move(workers));
  co_await all;
}

Suspicion judge(const Suspect& suspect, const Evidence& after, TimePoint cutoff, const RowEvidence*& witness) {
  Candidate const& candidate = suspect.candidate;
  witness = nullptr;
  if (!still_suspicious(candidate, after)) return Suspicion::unfounded;
  if (!about_rows(candidate.finding)) {
    bool const there = suspect.now && old_enough(suspect.now->last_modified, cutoff);
    bool const same = there && (candidate.finding == Finding::unfinished_upload ||
                                same_object(*suspect.now, *candidate.listed));
    return same ? Suspicion::founded : Suspicion::unfounded;
  }
  if (candidate.finding == Finding::dangling_row ? suspect.now.has_value() : !suspect.now.has_value()) {
    return Suspicion::unfounded;
  }
  if (candidate.finding == Finding::wrong_bytes && suspect.digest.empty()) return Suspicion::unfounded;
  bool changed = false;
  for (RowEvidence const& row : after.rows) {
    if (!concerns(candidate, row)) continue;
    bool const wrong = candidate.finding == Finding::dangling_row ||
                       (candidate.finding == Finding::size_mismatch && row.size &&
                        static_cast<std::uint64_t>(*row.size) != suspect.now->size) ||
                       (candidate.finding == Finding::wrong_bytes && !row.checksum.empty() &&
                        row.checksum != suspect.digest);
    if (!wrong) continue;
    bool const stayed = std::any_of(suspect.before.rows.begin(), suspect.before.rows.end(),
                                    [&](const RowEvidence& before) { return before.same_row(row); });
    if (stayed) {
      witness = &row;
      return Suspicion::founded;
    }
    changed = true;
  }
  return changed ? Suspicion::unclear : Suspicion::unfounded;
}

}  // namespace audiostore::audit
