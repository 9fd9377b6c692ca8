// The order of things matters here. The claim locks and marks the operation first and probes the tracked columns
// second; a statement that inserts a reference writes its row first and looks for the operation second. So one of
// the two always sees the other (queue_table.hpp, tracking/holders.hpp).
#include "outbox/claim.hpp"

#include <nlohmann/json.hpp>

#include "outbox/claim_packs.hpp"
#include "outbox/queue_claims.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/holders.hpp"

namespace audiostore::outbox {
namespace {

// Columns of the claim's result.
enum : int { kId = 1, kKind, kKey, kTargetStore, kTarget, kAttempts, kInDoubt, kOptions, kNotBefore, kPayloadBytes };

// An operation waits for every earlier one that reads or writes one of its keys. Dead ones hold nobody up.
pg::Statement& claim_statement() {
  static pg::Statement statement(
      "WITH due AS MATERIALIZED (SELECT o.ctid AS tid FROM audiostore.operation_rows o "
      "  WHERE o.store = $1 AND o.not_before <= $2 AND (o.not_before, o.id) > ($5, $6) "
      "  AND (o.state = 'pending' OR (o.state = 'running' AND o.leased_until < $2)) "
      "  AND NOT EXISTS (SELECT FROM audiostore.operation_rows e WHERE e.key = o.key AND e.store = o.store AND e.id < "
      "o.id "
      "    AND e.state <> 'dead' AND e.kind = 'delete') "
      "  AND NOT EXISTS (SELECT FROM audiostore.operation_rows e WHERE e.key = o.key AND e.store = o.store AND e.id < "
      "o.id "
      "    AND e.state <> 'dead' AND e.kind <> 'delete') "
      "  AND NOT EXISTS (SELECT FROM audiostore.operation_rows e WHERE e.target = o.key AND e.target_store = o.store "
      "    AND e.id < o.id AND e.state <> 'dead' AND e.target_store IS NOT NULL) "
      "  AND (o.target_store IS NULL OR NOT EXISTS (SELECT FROM audiostore.operation_rows e WHERE e.id < o.id "
      "    AND e.state <> 'dead' AND ("
      "    (e.key = o.target AND e.store = o.target_store AND e.kind = 'delete') OR "
      "    (e.key = o.target AND e.store = o.target_store AND e.kind <> 'delete') OR "
      "    (e.target = o.target AND e.target_store = o.target_store AND e.target_store IS NOT NULL)))) "
      "  AND (o.kind = 'delete' OR NOT audiostore.packed_before(o.store::name, o.key, o.id)) "
      "  AND (o.target_store IS NULL OR NOT audiostore.packed_before(o.target_store::name, o.target, o.id)) "
      "  ORDER BY o.not_before, o.id LIMIT $4 FOR UPDATE SKIP LOCKED) "
      "UPDATE audiostore.operation_rows o SET state = 'running', attempts = attempts + 1, leased_until = $3, "
      "  claimed_by = pg_backend_pid(), in_doubt = in_doubt OR state = 'running' FROM due WHERE o.ctid = due.tid "
      "RETURNING o.id, o.kind, o.key, o.target_store, o.target, o.attempts, o.in_doubt, o.options, o.not_before, "
      "  octet_length(o.payload)",
      {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, INT8OID});
  return statement;
}

Kind parse_kind(const std::string& name) {
  if (name == "put") return Kind::put;
  if (name == "copy") return Kind::copy;
  if (name == "move") return Kind::move;
  if (name == "set_class") return Kind::set_class;
  return Kind::del;
}

// jsonb's text form; written by ourselves, so a surprise is a bug or a hand-made row.
void parse_options(const std::string& text, Operation& operation) {
  if (text.empty()) return;
  auto const json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return;
  store::PutOptions& options = operation.options;
  auto const string_at = [&](const char* name) {
    auto const found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  options.content_type = string_at("content_type");
  options.storage_class = string_at("storage_class");
  if (auto const found = json.find("parts"); found != json.end() && found->is_array()) {
    for (auto const& part : *found) {
      if (part.is_string()) operation.parts.push_back(part.get<std::string>());
    }
    operation.parts_size = json.value("size", std::uint64_t{0});
  }
  if (auto const found = json.find("receipt"); found != json.end()) operation.receipt = *found == true;
  if (auto const found = json.find("metadata"); found != json.end() && found->is_object()) {
    for (auto const& [name, value] : found->items()) {
      options.metadata[name] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
}

std::string jsonb_text(const pg::Rows& rows, std::size_t row) {
  if (rows.null(row, kOptions)) return {};
  std::string copy;
  char* text = pg::call([&] { return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, kOptions); });
  if (text != nullptr) copy = text;
  return copy;
}

// Removes deletes whose object is held by a live row; puts back those that a transaction in progress decides.
void check_deletes(const ClaimRequest& request, Claim& claim) {
  std::vector<std::int64_t> held;
  std::vector<std::int64_t> undecided;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < claim.operations.size(); i++) {
    if (claim.operations[i].kind == Kind::del) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return claim.operations[a].key < claim.operations[b].key; });
  std::vector<std::string_view> keys;
  keys.reserve(order.size());
  for (std::size_t const i : order) keys.emplace_back(claim.operations[i].key);
  std::vector<tracking::Holding> const found = who_holds(request.store, keys);
  for (std::size_t i = 0; i < found.size(); i++) {
    Operation& operation = claim.operations[order[i]];
    if (found[i] == tracking::Holding::none) continue;
    (found[i] == tracking::Holding::live ? held : undecided).push_back(operation.id);
    operation.id = 0;
  }
  claim.cancelled = held.size();
  claim.put_back = undecided.size();
  if (!held.empty()) {
    static pg::Statement cancel("DELETE FROM audiostore.operation_rows WHERE id = ANY($1)", {INT8ARRAYOID});
    cancel.execute({pg::bigint_array(held)});
  }
  if (!undecided.empty()) {
    // The longer it has waited, the longer it waits: a transaction open for hours is not asked every moment.
    static pg::Statement put_back(
        "UPDATE audiostore.operation_rows SET state = 'pending', attempts = attempts - 1, leased_until = NULL, "
        "claimed_by = NULL, not_before = clock_timestamp() + "
        "  least(greatest((clock_timestamp() - enqueued_at) / 4, interval '50 ms'), interval '30 s') "
        "WHERE id = ANY($1)",
        {INT8ARRAYOID});
    put_back.execute({pg::bigint_array(undecided)});
  }
  std::erase_if(claim.operations, [](const Operation& operation) { return operation.id == 0; });
}

// Reads the payloads of puts until the limit; the puts beyond it go back.
void load_payloads(std::size_t limit, Claim& claim, const std::vector<std::pair<std::int64_t, std::size_t>>& sizes) {
  std::vector<std::int64_t> wanted;
  std::vector<std::int64_t> beyond;
  std::size_t total = 0;
  for (auto const& [id, size] : sizes) {
    if (wanted.empty() || total + size <= limit) {
      wanted.push_back(id);
      total += size;
    } else {
      beyond.push_back(id);
    }
  }
  if (!beyond.empty()) {
    static pg::Statement give_back(
        "UPDATE audiostore.operation_rows SET state = 'pending', attempts = attempts - 1, leased_until = NULL, "
        "claimed_by = NULL WHERE id = ANY($1)",
        {INT8ARRAYOID});
    give_back.execute({pg::bigint_array(beyond)});
    std::erase_if(claim.operations, [&](const Operation& operation) {
      return std::find(beyond.begin(), beyond.end(), operation.id) != beyond.end();
    });
    // They lie behind the position reached: start over for them.
    claim.reached = Position{};
    claim.full = true;
  }
  static pg::Statement read("SELECT payload FROM audiostore.operation_rows WHERE id = $1", {INT8OID});
  for (Operation& operation : claim.operations) {
    if (operation.kind != Kind::put) continue;
    if (read.execute({Int64GetDatum(operation.id)}) == 1) operation.payload = read.rows().text(0, 1);
  }
}

// What claiming in order found.
void claim_in_order(const ClaimRequest& request, Claim& claim) {
  pg::Statement& statement = claim_statement();
  statement.execute({pg::text_argument(request.store), TimestampTzGetDatum(pg::to_timestamp(request.now)),
                     TimestampTzGetDatum(pg::to_timestamp(request.now + request.lease)),
                     Int64GetDatum(static_cast<std::int64_t>(request.limit)),
                     TimestampTzGetDatum(request.after.not_before), Int64GetDatum(request.after.id)});
  pg::Rows const rows = statement.rows();
  claim.operations.resize(rows.size());
  std::vector<std::pair<std::int64_t, std::size_t>> payload_sizes;
  for (std::size_t i = 0; i < rows.size(); i++) {
    Operation& operation = claim.operations[i];
    operation.id = rows.bigint(i, kId);
    operation.kind = parse_kind(rows.text(i, kKind));
    operation.key = rows.text(i, kKey);
    operation.attempts = rows.integer(i, kAttempts);
    operation.in_doubt = rows.boolean(i, kInDoubt);
    if (operation.kind != Kind::del) {
      operation.target_store = rows.text(i, kTargetStore);
      operation.target = rows.text(i, kTarget);
      parse_options(jsonb_text(rows, i), operation);
    }
    if (operation.kind == Kind::put) {
      payload_sizes.emplace_back(operation.id, rows.null(i, kPayloadBytes) ? 0 : rows.integer(i, kPayloadBytes));
    }
    TimestampTz const due = rows.timestamp(i, kNotBefore);
    if (std::pair(due, operation.id) > std::pair(claim.reached.not_before, claim.reached.id)) {
      claim.reached = {.not_before = due, .id = operation.id};
    }
  }
  // UPDATE returns rows in no particular order.
  std::sort(claim.operations.begin(), claim.operations.end(),
            [](const Operation& a, const Operation& b) { return a.id < b.id; });
  std::sort(payload_sizes.begin(), payload_sizes.end());
  if (!payload_sizes.empty()) load_payloads(request.payload_limit, claim, payload_sizes);
}

// The usual case: none can be in the way of another, as there is one for each key.
void claim_deletes(QueueClaims& table, const ClaimRequest& request, Claim& claim) {
  std::vector<ClaimedDelete> claimed;
  table.claim({.store = request.store,
               .now = pg::to_timestamp(request.now),
               .lease_until = pg::to_timestamp(request.now + request.lease),
               .after = request.after,
               .limit = request.limit},
              claimed);
  claim.operations.resize(claimed.size());
  for (std::size_t i = 0; i < claimed.size(); i++) {
    Operation& operation = claim.operations[i];
    operation.id = claimed[i].row.id;
    operation.tid = claimed[i].row.tid;
    operation.key = std::move(claimed[i].key);
    operation.attempts = claimed[i].attempts;
    operation.in_doubt = claimed[i].in_doubt;
  }
  if (!claimed.empty()) claim.reached = {.not_before = claimed.back().not_before, .id = claimed.back().row.id};
}

}  // namespace

std::vector<tracking::Holding> who_holds(std::string_view store, std::span<const std::string_view> keys) {
  std::vector<tracking::Holding> found;
  // Tables and expressions of users are read here: an error of theirs must not take this transaction with it.
  auto const failure = pg::attempt([&] {
    tracking::Holders holders({.store = store, .purpose = tracking::Purpose::claiming});
    if (!holders.empty()) found = holders.probe(keys);
  });
  if (failure) throw CannotJudge("whether live rows hold its objects could not be found out: " + failure->message);
  return found;
}

Claim claim(const ClaimRequest& request) {
  // The claim must be on disk before a request is sent, whatever synchronous_commit says.
  ForceSyncCommit();
  Claim claim;
  claim.reached = request.after;
  claim.reached_packs = request.after_packs;
  bool only_deletes = true;
  if (QueueClaims table; (only_deletes = table.only_deletes())) {
    claim_deletes(table, request, claim);
  } else {
    claim_in_order(request, claim);
  }
  claim.full = claim.full || claim.operations.size() == request.limit;
  check_deletes(request, claim);
  claim_packs(request, only_deletes, claim);
  return claim;
}

std::vector<DueStore> due_stores(TimePoint now) {
  static pg::Statement statement(
      "WITH RECURSIVE row_stores(store) AS ("
      "  (SELECT store FROM audiostore.operation_rows ORDER BY store LIMIT 1) UNION ALL "
      "  SELECT (SELECT o.store FROM audiostore.operation_rows o WHERE o.store > s.store ORDER BY o.store LIMIT 1) "
      "  FROM row_stores s WHERE s.store IS NOT NULL), "
      "pack_stores(store) AS ("
      "  (SELECT store FROM audiostore.operation_packs ORDER BY store LIMIT 1) UNION ALL "
      "  SELECT (SELECT p.store FROM audiostore.operation_packs p WHERE p.store > s.store ORDER BY p.store LIMIT 1) "
      "  FROM pack_stores s WHERE s.store IS NOT NULL) "
      "SELECT store, (SELECT CASE WHEN o.state = 'running' THEN o.leased_until ELSE o.not_before END "
      "  FROM audiostore.operation_rows o WHERE o.store = row_stores.store AND (o.state = 'pending' OR "
      "  (o.state = 'running' AND o.leased_until < $1)) ORDER BY o.not_before, o.id LIMIT 1) "
      "FROM row_stores WHERE store IS NOT NULL UNION ALL "
      "SELECT store, (SELECT CASE WHEN p.state = 'running' THEN p.leased_until ELSE p.not_before END "
      "  FROM audiostore.operation_packs p WHERE p.store = pack_stores.store AND (p.state = 'pending' OR "
      "  (p.state = 'running' AND p.leased_until < $1)) ORDER BY p.not_before, p.id LIMIT 1) "
      "FROM pack_stores WHERE store IS NOT NULL ORDER BY 1",
      {TIMESTAMPTZOID});
  statement.execute({TimestampTzGetDatum(pg::to_timestamp(now))});
  pg::Rows const rows = statement.rows();
  std::vector<DueStore> stores;
  for (std::size_t i = 0; i < rows.size(); i++) {
    std::string store = rows.text(i, 1);
    if (stores.empty() || stores.back().store != store) stores.push_back({.store = std::move(store)});
    if (!rows.null(i, 2)) stores.back().next = std::min(stores.back().next, rows.timestamp(i, 2));
  }
  return stores;
}

void release_lost_claims() {
  static pg::Statement claimants(
      "SELECT claimed_by FROM audiostore.operation_rows WHERE state = 'running' AND claimed_by IS NOT NULL UNION "
      "SELECT claimed_by FROM audiostore.operation_packs WHERE state = 'running' AND claimed_by IS NOT NULL",
      {});
  claimants.execute({});
  pg::Rows const rows = claimants.rows();
  std::vector<std::int64_t> lost;
  for (std::size_t i = 0; i < rows.size(); i++) {
    int const pid = rows.integer(i, 1);
    if (pid == MyProcPid || pg::call([pid] { return BackendPidGetProc(pid) == nullptr; })) lost.push_back(pid);
  }
  if (lost.empty()) return;
  static pg::Statement release(
      "UPDATE audiostore.operation_rows SET state = 'pending', in_doubt = true, leased_until = NULL, claimed_by = NULL "
      "WHERE state = 'running' AND claimed_by = ANY($1)",
      {INT8ARRAYOID});
  release.execute({pg::bigint_array(lost)});
  static pg::Statement release_packs(
      "UPDATE audiostore.operation_packs SET state = 'pending', in_doubt = true, leased_until = NULL, claimed_by = "
      "NULL "
      "WHERE state = 'running' AND claimed_by = ANY($1)",
      {INT8ARRAYOID});
  release_packs.execute({pg::bigint_array(lost)});
  static pg::Statement fill_holes(
      "DELETE FROM audiostore.operation_holes h WHERE NOT EXISTS (SELECT FROM audiostore.operation_packs p "
      "WHERE h.id BETWEEN p.id AND p.id + p.key_count - 1)",
      {});
  fill_holes.execute({});
}

}  // namespace audiostore::outbox
