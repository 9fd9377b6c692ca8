#include "lifecycle/lead_over.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "lifecycle/policy.hpp"
#include "lifecycle/row_statements.hpp"
#include "outbox/queue_table.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "pg/time.hpp"
#include "tracking/rights.hpp"

namespace audiostore::lifecycle {
namespace {

constexpr std::array<Oid, 3> kHolderTypes{TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID};
constexpr std::array<Oid, 3> kLeadTypes{TIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID};
constexpr std::array<Oid, 1> kNoteTypes{TIDARRAYOID};

struct Holder {
  std::size_t move;
  Oid table;
  ItemPointerData tid;
};

// What became of the moves of one policy.
struct Ends {
  std::vector<Move> over;
  std::vector<std::pair<Move, std::string>> put_off;
};

class Lead {
 public:
  explicit Lead(const Policy& policy)
      : policy_(policy), rule_(make_tier_rule(policy.rows, *policy.tier)), before_(pg::to_timestamptz(policy.before)) {
    check_owned(rule_.rows.relation, policy.owner);
  }

  // The owner might have put the key of any object into a row.
  void check_usage(std::span<const Move> moves) const {
    std::set<std::string> stores;
    for (Move const& move : moves) stores.insert(move.elsewhere() ? move.to_store : move.store);
    for (std::string const& store : stores) foreign::check_usage(foreign::find_store(store), policy_.owner);
  }

  // Halves what fails until the move that is to blame is found.
  void run(std::span<const Move> moves, Ends& ends) const {
    std::vector<bool> waiting;
    auto const failure = pg::attempt([&] { waiting = change(moves); });
    if (!failure) {
      for (std::size_t i = 0; i < moves.size(); i++) {
        if (waiting[i]) {
          ends.put_off.emplace_back(moves[i], std::string());
        } else {
          ends.over.push_back(moves[i]);
        }
      }
      return;
    }
    bool const locked = failure->sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
    if (moves.size() == 1 || locked) {
      std::string const why = failure->detail.empty() ? failure->message : failure->message + ": " + failure->detail;
      for (Move const& move : moves) ends.put_off.emplace_back(move, why);
      return;
    }
    run(moves.first(moves.size() / 2), ends);
    run(moves.subspan(moves.size() / 2), ends);
  }

 private:
  std::vector<Holder> find(std::span<const Move> moves, bool lock) const {
    std::vector<std::string> keys;
    std::vector<std::string> stores;
    for (Move const& move : moves) {
      keys.push_back(move.key);
      stores.push_back(move.store);
    }
    std::array<Datum, 3> const values{TimestampTzGetDatum(before_), text_array_datum(keys), text_array_datum(stores)};
    execute(find_holders_sql(rule_, lock), kHolderTypes, values);
    pg::Rows const rows;
    std::vector<Holder> holders(rows.size());
    for (std::size_t i = 0; i < holders.size(); i++) {
      holders[i] = {.move = static_cast<std::size_t>(rows.bigint(i, 1)) - 1,
                    .table = DatumGetObjectId(rows.datum(i, 2).value),
                    .tid = *reinterpret_cast<ItemPointer>(DatumGetPointer(rows.datum(i, 3).value))};
    }
    return holders;
  }

  // Returns which moves have rows that somebody has locked.
  std::vector<bool> change(std::span<const Move> moves) const {
    tracking::OwnersRights const rights(policy_.owner);
    limit_waits();
    execute("SET CONSTRAINTS ALL IMMEDIATE", {}, {});
    std::vector<std::size_t> there(moves.size());
    for (Holder const& holder : find(moves, false)) there[holder.move]++;
    std::map<std::pair<Oid, bool>, std::vector<Holder>> by_table;
    for (Holder const& holder : find(moves, true)) {
      if (there[holder.move] > 0) there[holder.move]--;
      by_table[{holder.table, moves[holder.move].elsewhere()}].push_back(holder);
    }
    for (auto const& [table, holders] : by_table) change_table(moves, table.first, holders, table.second);
    std::vector<bool> waiting(moves.size());
    for (std::size_t i = 0; i < moves.size(); i++) waiting[i] = there[i] > 0;
    return waiting;
  }

  void change_table(std::span<const Move> moves, Oid table, std::span<const Holder> holders, bool elsewhere) const {
    std::vector<ItemPointerData> tids;
    std::vector<std::string> keys;
    std::vector<std::string> stores;
    for (Holder const& holder : holders) {
      tids.push_back(holder.tid);
      keys.push_back(moves[holder.move].to_key);
      stores.push_back(moves[holder.move].to_store);
    }
    std::uint64_t changed = 0;
    if (elsewhere) {
      std::array<Datum, 3> const values{tid_array(tids), text_array_datum(keys), text_array_datum(stores)};
      changed = execute(lead_over_sql(rule_, table), kLeadTypes, values);
    } else {
      std::array<Datum, 1> const values{tid_array(tids)};
      changed = execute(note_class_sql(rule_, table), kNoteTypes, values);
    }
    if (changed == holders.size()) return;
    throw pg::SqlError(ERRCODE_TRIGGERED_ACTION_EXCEPTION, "a trigger keeps the row as it is");
  }

  const Policy& policy_;
  TierRule rule_;
  TimestampTz before_;
};

// The policy can do nothing any more: its moves end, and the rows stay as they are.
bool is_final(int sqlstate) {
  return sqlstate == ERRCODE_UNDEFINED_TABLE || sqlstate == ERRCODE_UNDEFINED_OBJECT ||
         sqlstate == ERRCODE_UNDEFINED_COLUMN || sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE;
}

void lead_policy(std::int64_t id, std::span<const Move> moves, Ends& ends) {
  std::optional<Policy> policy;
  auto const failure = pg::attempt([&] {
    limit_waits();
    policy = load_policy(id);
    if (!policy || !policy->tier) return;
    Lead const lead(*policy);
    lead.check_usage(moves);
    lead.run(moves, ends);
  });
  if (!failure) {
    if (!policy || !policy->tier) ends.over.assign(moves.begin(), moves.end());
    return;
  }
  ends = {};
  for (Move const& move : moves) {
    if (is_final(failure->sqlstate)) {
      ends.over.push_back(move);
    } else {
      ends.put_off.emplace_back(move, failure->message);
    }
  }
}

}  // namespace

std::int64_t lead_over(std::span<const Move> moves) {
  std::map<std::int64_t, std::vector<Move>> by_policy;
  {
    outbox::QueueTable queue(outbox::Use::write);
    for (Move const& move : moves) {
      // Somebody writes the object, or is about to: what was copied is not the last word.
      if (move.elsewhere() && queue.has_other(move.store, move.key)) {
        put_off(move, {});
      } else {
        by_policy[move.policy].push_back(move);
      }
    }
  }
  std::int64_t ended = 0;
  for (auto const& [policy, theirs] : by_policy) {
    Ends ends;
    lead_policy(policy, theirs, ends);
    end_moves(ends.over);
    for (auto const& [move, why] : ends.put_off) {
      put_off(move, why);
      if (!why.empty()) note_row_error(policy, why);
    }
    ended += static_cast<std::int64_t>(ends.over.size());
  }
  return ended;
}

}  // namespace audiostore::lifecycle
