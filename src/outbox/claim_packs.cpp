// A pack is claimed as a whole: one change of one row. Only then is looked for what stands against deleting some of its
// keys, in the order of the proof in claim.cpp. Where anything does, which is rare, the pack is split within the same
// transaction: what is to be deleted now is running, what has to wait is pending, the rest is gone.
#include "outbox/claim_packs.hpp"

#include "outbox/pack_claims.hpp"

namespace audiostore::outbox {
namespace {

enum class Verdict : std::uint8_t { send, wait, gone };

// The packs of a claim and all of their keys.
struct Keys {
  struct Key {
    std::uint32_t pack;
    std::uint32_t position;
    Verdict verdict = Verdict::send;
  };
  std::vector<Pack> packs;
  std::vector<std::vector<std::string_view>> views;  // for each pack
  std::vector<PackedKeys> unpacked;
  std::vector<Key> keys;
  std::vector<std::size_t> first;  // index of each pack's first key

  std::string_view view(const Key& key) const { return views[key.pack][key.position]; }
  std::int64_t id(const Key& key) const { return packs[key.pack].id + key.position; }
};

Keys unpack(std::vector<Pack> packs) {
  Keys all;
  all.packs = std::move(packs);
  all.unpacked.reserve(all.packs.size());
  for (std::uint32_t i = 0; i < all.packs.size(); i++) {
    all.unpacked.emplace_back(all.packs[i]);
    all.views.push_back(all.unpacked.back().views());
    all.first.push_back(all.keys.size());
    for (std::uint32_t k = 0; k < all.views.back().size(); k++) all.keys.push_back({.pack = i, .position = k});
  }
  return all;
}

void mind_holes(PackClaims& table, Keys& all) {
  std::vector<PackClaims::Hole> certain;
  for (std::size_t i = 0; i < all.packs.size(); i++) {
    for (PackClaims::Hole const& hole : table.holes_of(all.packs[i])) {
      Verdict& verdict = all.keys[all.first[i] + static_cast<std::size_t>(hole.id - all.packs[i].id)].verdict;
      verdict = std::max(verdict, hole.certain ? Verdict::gone : Verdict::wait);
      if (hole.certain) certain.push_back(hole);
    }
  }
  if (!certain.empty()) table.remove_holes(certain);
}

// Deletes wait for earlier operations of other kinds on their keys. Dead ones hold nobody up.
void mind_order(const std::string& store, Keys& all) {
  static pg::Statement earlier(
      "SELECT k.n FROM ROWS FROM (unnest($2::text[]), unnest($3::bigint[])) WITH ORDINALITY k(key, id, n) "
      "WHERE EXISTS (SELECT FROM audiostore.operation_rows e WHERE e.key = k.key COLLATE \"C\" AND e.store = $1 "
      "    AND e.kind <> 'delete' AND e.state <> 'dead' AND e.id < k.id) "
      "  OR EXISTS (SELECT FROM audiostore.operation_rows e WHERE e.target = k.key COLLATE \"C\" AND e.target_store = "
      "$1 "
      "    AND e.target_store IS NOT NULL AND e.state <> 'dead' AND e.id < k.id)",
      {TEXTOID, TEXTARRAYOID, INT8ARRAYOID});
  std::vector<std::string> keys;
  std::vector<std::int64_t> ids;
  for (Keys::Key const& key : all.keys) {
    keys.emplace_back(all.view(key));
    ids.push_back(all.id(key));
  }
  earlier.execute({pg::text_argument(store), pg::text_array(keys), pg::bigint_array(ids)});
  pg::Rows const rows = earlier.rows();
  for (std::size_t i = 0; i < rows.size(); i++) {
    Verdict& verdict = all.keys[static_cast<std::size_t>(rows.bigint(i, 1)) - 1].verdict;
    verdict = std::max(verdict, Verdict::wait);
  }
}

// Returns how many live rows keep.
std::size_t mind_rows(std::string_view store, Keys& all) {
  std::vector<std::size_t> order(all.keys.size());
  for (std::size_t i = 0; i < order.size(); i++) order[i] = i;
  auto const before = [&](std::size_t a, std::size_t b) { return all.view(all.keys[a]) < all.view(all.keys[b]); };
  // The packs of one statement come in the order of their keys.
  if (!std::is_sorted(order.begin(), order.end(), before)) std::sort(order.begin(), order.end(), before);
  std::vector<std::string_view> keys;
  keys.reserve(order.size());
  for (std::size_t const i : order) keys.push_back(all.view(all.keys[i]));
  std::vector<tracking::Holding> const found = who_holds(store, keys);
  std::size_t held = 0;
  for (std::size_t i = 0; i < found.size(); i++) {
    Verdict& verdict = all.keys[order[i]].verdict;
    if (found[i] == tracking::Holding::in_progress) verdict = std::max(verdict, Verdict::wait);
    if (found[i] != tracking::Holding::live) continue;
    if (verdict != Verdict::gone) held++;
    verdict = Verdict::gone;
  }
  return held;
}

// The longer it has waited, the longer it waits: a transaction open for hours is not asked every moment.
TimestampTz later(const Pack& pack) {
  constexpr std::int64_t kShortest = USECS_PER_SEC / 20;
  constexpr std::int64_t kLongest = 30 * USECS_PER_SEC;
  TimestampTz const now = GetCurrentTimestamp();
  return now + std::clamp((now - pack.enqueued_at) / 4, kShortest, kLongest);
}

void give_operations(const Pack& pack, std::span<const std::string_view> keys, Claim& claim) {
  for (std::size_t i = 0; i < keys.size(); i++) {
    Operation& operation = claim.operations.emplace_back();
    operation.id = pack.id + static_cast<std::int64_t>(i);
    operation.tid = pack.tid;
    operation.pack = pack.id;
    operation.key = keys[i];
    operation.attempts = pack.attempts;
    operation.in_doubt = pack.in_doubt;
  }
}

// Into runs of keys that are dealt with alike.
void split(PackClaims& table, const Pack& pack, std::span<const std::string_view> keys,
           std::span<const Keys::Key> verdicts, Claim& claim) {
  std::vector<Pack> parts;
  std::vector<std::pair<std::size_t, std::size_t>> sent;  // part, its first key
  for (std::size_t first = 0; first < keys.size();) {
    std::size_t end = first + 1;
    while (end < keys.size() && verdicts[end].verdict == verdicts[first].verdict) end++;
    if (verdicts[first].verdict != Verdict::gone) {
      Pack part = part_of(pack, keys, first, end - first);
      if (verdicts[first].verdict == Verdict::wait) {
        part.state = PackState::pending;
        part.attempts--;
        part.leased_until = DT_NOBEGIN;
        part.claimed_by = 0;
        part.not_before = later(pack);
        claim.put_back += end - first;
      } else {
        sent.emplace_back(parts.size(), first);
      }
      parts.push_back(std::move(part));
    }
    first = end;
  }
  table.replace(pack, parts);
  for (auto const& [part, first] : sent) {
    give_operations(parts[part], keys.subspan(first, static_cast<std::size_t>(parts[part].key_count)), claim);
  }
}

}  // namespace

void claim_packs(const ClaimRequest& request, bool only_deletes, Claim& claim) {
  PackClaims table;
  if (table.empty()) return;
  std::vector<Pack> claimed;
  bool const full = table.claim({.store = request.store,
                                 .now = pg::to_timestamp(request.now),
                                 .lease_until = pg::to_timestamp(request.now + request.lease),
                                 .after = request.after_packs,
                                 .limit = request.limit},
                                claimed);
  claim.full = claim.full || full;
  if (claimed.empty()) return;
  claim.reached_packs = {.not_before = claimed.back().not_before, .id = claimed.back().id};
  Keys all = unpack(std::move(claimed));
  mind_holes(table, all);
  if (!only_deletes) mind_order(request.store, all);
  claim.cancelled += mind_rows(request.store, all);
  claim.operations.reserve(claim.operations.size() + all.keys.size());
  for (std::size_t i = 0; i < all.packs.size(); i++) {
    auto const verdicts = std::span(all.keys).subspan(all.first[i], all.views[i].size());
    bool const whole = std::all_of(verdicts.begin(), verdicts.end(),
                                   [](const Keys::Key& key) { return key.verdict == Verdict::send; });
    if (whole) {
      give_operations(all.packs[i], all.views[i], claim);
    } else {
      split(table, all.packs[i], all.views[i], verdicts, claim);
    }
  }
}

}  // namespace audiostore::outbox
