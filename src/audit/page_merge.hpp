// One page of a store's listing against the rows whose keys lie in its range, both in byte order: who is without the
// other? What comes out are suspicions: the listing is not trusted, and rows and objects move meanwhile. Pure.
//
// What would surprise you: tables come one after the other, and not merged with each other. The page is in memory, so
// each table's rows are walked along it once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/candidate.hpp"
#include "audit/key_span.hpp"
#include "base/hash.hpp"

namespace audiostore::audit {

struct Row {
  std::string_view key;
  std::optional<std::int64_t> size;  // that it states
  bool checksum = false;             // it states one
};

struct MergeRules {
  TimePoint cutoff{};             // objects written later are young
  bool verify = false;            // checksums of the sample
  double sample = 1;
  std::uint64_t seed = 0;         // which keys are in the sample
  std::size_t most_suspects = 1000;  // rows: more are left for the next round
};

// Stores state whole seconds at times: it is old for certain when the second in which it was written had ended.
inline bool old_enough(TimePoint last_modified, TimePoint cutoff) {
  return last_modified != TimePoint{} &&
         std::chrono::floor<std::chrono::seconds>(last_modified) + std::chrono::seconds(1) <= cutoff;
}

inline bool sampled(std::string_view key, const MergeRules& rules) {
  if (rules.sample >= 1) return true;
  std::string salted(reinterpret_cast<const char*>(&rules.seed), sizeof rules.seed);
  salted += key;
  Sha256Digest const digest = sha256(salted);
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; i++) bits = bits << 8 | digest[static_cast<std::size_t>(i)];
  return static_cast<double>(bits) < rules.sample * 0x1p64;
}

class PageMerge {
 public:
  // The page's objects, of which only those in the span count: in byte order, each key once.
  PageMerge(std::vector<store::ObjectInfo> objects, KeySpan span, const MergeRules& rules)
      : objects_(std::move(objects)), span_(std::move(span)), rules_(rules) {
    begin_round();
  }

  // What this round is about. A round that meets more suspects than allowed ends early, at a key.
  const KeySpan& span() const { return round_; }

  void begin_table(unsigned relation, std::string_view key_column) {
    relation_ = relation;
    key_column_ = key_column;
    position_ = first_;
    in_table_ = 0;
  }

  // The table's next row. False: the table has no more to do in this round.
  bool add(const Row& row) {
    if (round_.ends_before(row.key)) return false;
    while (position_ < objects_.size() && objects_[position_].key < row.key) position_++;
    bool const found = position_ < objects_.size() && objects_[position_].key == row.key;
    if (found) held_[position_] = true;
    std::optional<Finding> const finding = suspicion(row, found ? &objects_[position_] : nullptr);
    if (finding && !suspected(*finding, row.key)) {
      // Each table brings at least one key to its end, so every round comes further than the last.
      if (in_table_ >= rules_.most_suspects && suspects_.back().key != row.key) {
        round_.until = suspects_.back().key;
        return false;
      }
      in_table_++;
      suspects_.push_back({.finding = *finding,
                           .key = std::string(row.key),
                           .relation = relation_,
                           .key_column = key_column_,
                           .listed = found ? std::optional(objects_[position_]) : std::nullopt});
    }
    rows_++;
    return true;
  }

  // The suspects of this round, objects that no row holds included.
  std::vector<Candidate> finish_round() {
    std::erase_if(suspects_, [this](const Candidate& suspect) { return round_.ends_before(suspect.key); });
    std::size_t at = first_;
    for (; at < objects_.size() && !round_.ends_before(objects_[at].key); at++) {
      store::ObjectInfo const& object = objects_[at];
      objects_done_++;
      bytes_done_ += object.size;
      if (held_[at] || !old_enough(object.last_modified, rules_.cutoff)) continue;
      suspects_.push_back({.finding = Finding::orphaned_object, .key = object.key, .relation = 0, .key_column = {}, .listed = object});
    }
    first_ = at;
    return std::exchange(suspects_, {});
  }

  // Once more from the round's beginning: its tables could not all be read.
  void restart_round() { begin_round(); }

  // True when the whole span is done; else another round has begun.
  bool next_round() {
    if (round_.until == span_.until) return true;
    span_.after = *round_.until;
    begin_round();
    return false;
  }

  // Of this round; rows that an early end left over count again in the next.
  std::uint64_t rows() const { return rows_; }
  std::uint64_t objects_done() const { return objects_done_; }
  std::uint64_t bytes_done() const { return bytes_done_; }

 private:
  void begin_round() {
    round_ = span_;
    while (first_ < objects_.size() && objects_[first_].key <= span_.after) first_++;
    held_.assign(objects_.size(), false);
    suspects_.clear();
    rows_ = objects_done_ = bytes_done_ = 0;
  }

  std::optional<Finding> suspicion(const Row& row, const store::ObjectInfo* object) const {
    if (object == nullptr) return Finding::dangling_row;
    if (row.size && static_cast<std::uint64_t>(*row.size) != object->size) return Finding::size_mismatch;
    if (rules_.verify && row.checksum && sampled(row.key, rules_)) return Finding::wrong_bytes;
    return std::nullopt;
  }

  // Another row of this table with the same key was no better.
  bool suspected(Finding finding, std::string_view key) const {
    for (std::size_t i = 0; i < in_table_; i++) {
      Candidate const& suspect = suspects_[suspects_.size() - 1 - i];
      if (suspect.key != key) break;
      if (suspect.finding == finding) return true;
    }
    return false;
  }

  std::vector<store::ObjectInfo> objects_;
  KeySpan span_;
  KeySpan round_;
  MergeRules rules_;
  std::vector<bool> held_;
  std::vector<Candidate> suspects_;
  std::size_t first_ = 0;     // of the objects that are not done
  std::size_t position_ = 0;  // of the table's walk
  unsigned relation_ = 0;
  std::string key_column_;
  std::size_t in_table_ = 0;  // suspects of this table
  std::uint64_t rows_ = 0;
  std::uint64_t objects_done_ = 0;
  std::uint64_t bytes_done_ = 0;
};

}  // namespace audiostore::audit
