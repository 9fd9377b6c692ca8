#include "audit/lane.hpp"

#include "audit/snapshot.hpp"
#include "base/encoding.hpp"
#include "pg/datum.hpp"

namespace audiostore::audit {
namespace {

constexpr int kMostTries = 12;  // for rows that change under us: each try has a new chance

std::string detail_of(const Candidate& candidate, const Suspect& suspect, const Evidence& after,
                      const RowEvidence* witness) {
  std::string detail;
  switch (candidate.finding) {
    case Finding::orphaned_object: break;
    case Finding::dangling_row: detail = "column " + candidate.key_column; break;
    case Finding::size_mismatch:
      detail = "column " + candidate.key_column + ": the row says " + std::to_string(witness->size.value_or(0)) +
               " bytes, the object has " + std::to_string(suspect.now->size);
      break;
    case Finding::wrong_bytes:
      detail = "column " + candidate.key_column + ": the row says sha256 " + hex(witness->checksum) +
               ", the object has " + hex(suspect.digest);
      break;
    case Finding::unfinished_upload: detail = "upload " + printable(candidate.listed->etag, 200); break;
  }
  if (!after.dead.empty()) {
    if (!detail.empty()) detail += "; ";
    detail += after.dead + " of this key was given up";
  }
  return detail;
}

}  // namespace

Lane::Lane(const AuditSpec& spec, std::shared_ptr<foreign::OpenStore> store, KeySpan span, Lists lists,
           SortedRows& sorted)
    : spec_(spec), store_(std::move(store)), span_(std::move(span)), lists_(lists), sorted_(sorted) {
  ask_for_page(lists_ == Lists::objects ? span_.after : std::string());
}

Lane::Turn Lane::turn(TimePoint now) const {
  switch (at_) {
    case At::over: return Turn::over;
    case At::listing: return listing_.done() ? Turn::ready : Turn::waits;
    case At::asking: return asking_.done() ? Turn::ready : Turn::waits;
    default: return now >= look_again_ ? Turn::ready : Turn::waits;
  }
}

void Lane::ask_for_page(const std::string& after) {
  page_after_ = after;
  page_coming_ = true;
  listing_ = store_->store->list({.prefix = span_.prefix, .after = after, .unfinished = lists_ != Lists::objects});
  listing_.start();
}

void Lane::prepare() {
  if (at_ == At::listing) {
    take_page();
  } else if (at_ == At::asking) {
    at_ = At::confirming;
    asking_.take();
  }
}

void Lane::take_page() {
  page_coming_ = false;
  store::ListPage page = listing_.take();
  bool const beyond = page.more && span_.until && page.resume >= *span_.until && lists_ == Lists::objects;
  last_page_ = !page.more || beyond;
  if (page.more && lists_ == Lists::objects && page.resume <= page_after_) {
    throw Error(ErrorKind::bad_reply, "the listing of the store goes round in circles");
  }
  std::string const after = page_after_;
  resume_ = page.more ? page.resume : std::string();
  if (!last_page_) ask_for_page(page.resume);
  if (lists_ == Lists::unfinished_uploads) {
    take_uploads(std::move(page));
    return;
  }
  std::string_view last = after;
  for (store::ObjectInfo const& object : page.objects) {
    if (object.key <= last) throw Error(ErrorKind::bad_reply, "the listing of the store is not in order");
    last = object.key;
  }
  std::erase_if(page.objects, [this](const store::ObjectInfo& object) {
    bool const usable = pg::valid_text(object.key);
    if (!usable) unusable_keys_++;
    return !usable;
  });
  KeySpan here = span_;
  here.after = after;
  if (!last_page_) here.until = page.resume;
  merge_.emplace(std::move(page.objects), std::move(here), spec_.rules);
  at_ = At::comparing;
}

void Lane::take_uploads(store::ListPage page) {
  candidates_.clear();
  for (store::ObjectInfo& upload : page.objects) {
    if (!old_enough(upload.last_modified, spec_.rules.cutoff) || !pg::valid_text(upload.key)) continue;
    Candidate& candidate = candidates_.emplace_back();
    candidate.finding = Finding::unfinished_upload;
    candidate.key = upload.key;
    candidate.listed = std::move(upload);
  }
  tries_ = 0;
  at_ = At::suspecting;
}

// False: a table could not be read, or there is more to sort.
bool Lane::compare() {
  auto const registry = tracking::Registry::current();
  RegisteredSnapshot const snapshot;
  for (auto const& source : registry->sources(spec_.store)) {
    TrackedTable table(source, spec_.store);
    auto const state = table.open(spec_.waiting);
    if (state == TrackedTable::State::busy || tracking::Registry::stale()) return false;
    if (state == TrackedTable::State::gone) continue;
    table.read_checksums(spec_.rules.verify);
    if (!table.ordered() && !sorted_.prepare(table, snapshot.get())) {
      look_again_ = {};  // it goes on at once
      return false;
    }
    merge_->begin_table(table.relation(), table.key_column());
    RowSink const sink = [this](const FoundRow& row) {
      return merge_->add({.key = row.key, .size = row.size, .checksum = !row.checksum.empty()});
    };
    if (table.ordered()) {
      table.walk(merge_->span(), snapshot.get(), sink);
    } else {
      sorted_.walk(table, merge_->span(), sink);
    }
  }
  candidates_ = merge_->finish_round();
  tries_ = 0;
  return true;
}

// False: a table could not be read.
bool Lane::suspect() {
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.key < b.key; });
  std::vector<std::string> keys;
  for (Candidate const& candidate : candidates_) {
    if (keys.empty() || keys.back() != candidate.key) keys.push_back(candidate.key);
  }
  auto evidence = look(spec_.store, keys, spec_.waiting);
  if (!evidence) return false;
  suspects_.clear();
  std::size_t at = 0;
  for (Candidate& candidate : candidates_) {
    while (keys[at] != candidate.key) at++;
    Evidence const& seen = (*evidence)[at];
    if (!still_suspicious(candidate, seen)) continue;
    suspects_.push_back({.candidate = std::move(candidate), .before = seen, .now = {}, .digest = {}, .unreadable = {}});
  }
  candidates_.clear();
  return true;
}

// False: a table could not be read.
bool Lane::confirm() {
  std::vector<std::string> keys;
  for (Suspect const& suspect : suspects_) {
    if (keys.empty() || keys.back() != suspect.candidate.key) keys.push_back(suspect.candidate.key);
  }
  auto const evidence = look(spec_.store, keys, spec_.waiting);
  if (!evidence) return false;
  std::size_t at = 0;
  for (Suspect& suspect : suspects_) {
    Candidate& candidate = suspect.candidate;
    while (keys[at] != candidate.key) at++;
    if (candidate.finding == Finding::wrong_bytes) verified_++;
    if (!suspect.unreadable.empty()) note_ = suspect.unreadable;
    RowEvidence const* witness = nullptr;
    switch (audit::judge(suspect, (*evidence)[at], spec_.rules.cutoff, witness)) {
      case Suspicion::unfounded: break;
      case Suspicion::unclear: candidates_.push_back(std::move(candidate)); break;
      case Suspicion::founded:
        reports_.push_back({.finding = candidate.finding,
                            .key = candidate.key,
                            .object = suspect.now,
                            .relation = candidate.relation,
                            .key_column = candidate.key_column,
                            .detail = detail_of(candidate, suspect, (*evidence)[at], witness)});
    }
  }
  suspects_.clear();
  return true;
}

void Lane::end_round(Verdict& verdict) {
  verdict.kept = true;
  verdict.reports = std::exchange(reports_, {});
  verdict.verified = std::exchange(verified_, 0);
  verdict.unusable_keys = std::exchange(unusable_keys_, 0);
  if (lists_ == Lists::objects) {
    verdict.objects = merge_->objects_done();
    verdict.bytes = merge_->bytes_done();
    verdict.rows = merge_->rows();
    verdict.resume = merge_->span().until.value_or(std::string());
    if (!merge_->next_round()) {
      at_ = At::comparing;
      return;
    }
    merge_.reset();
  } else {
    verdict.resume = resume_;
  }
  verdict.over = last_page_;
  at_ = last_page_ ? At::over : At::listing;
}

Verdict Lane::judge(TimePoint now) {
  Verdict verdict;
  if (at_ == At::comparing) {
    look_again_ = now + std::chrono::milliseconds(500);
    if (!compare()) {
      merge_->restart_round();
      return verdict;
    }
    look_again_ = {};
    at_ = At::suspecting;
  }
  if (at_ == At::confirming) {
    if (!confirm()) {
      busy(now);
      return verdict;
    }
    look_again_ = {};
    if (candidates_.empty() || ++tries_ >= kMostTries) {
      candidates_.clear();
      end_round(verdict);
      return verdict;
    }
    at_ = At::suspecting;
  }
  if (at_ == At::suspecting) {
    if (!suspect()) {
      busy(now);
      return verdict;
    }
    look_again_ = {};
    if (suspects_.empty()) end_round(verdict);
  }
  return verdict;
}

void Lane::go_on() {
  if (at_ != At::suspecting || suspects_.empty()) return;
  KeySpan const span = merge_ ? merge_->span() : span_;
  asking_ = ask_store(*store_->store, suspects_, span);
  at_ = At::asking;
  asking_.start();
}

}  // namespace audiostore::audit
