#include "lifecycle/moves.hpp"

#include "outbox/dead.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/receipts.hpp"
#include "pg/statement.hpp"
#include "tracking/holders.hpp"

namespace audiostore::lifecycle {
namespace {

pg::Argument text_or_null(const std::string& text) { return text.empty() ? pg::Argument() : pg::text_argument(text); }

constexpr const char* kColumns =
    "m.id, m.policy_id, m.operation_id, m.store, m.key, m.to_store, m.to_key, m.storage_class, m.bytes, r.etag"
    " FROM audiostore.moves m JOIN audiostore.operation_receipts r ON r.operation_id = m.operation_id";

std::vector<Move> read_moves(const pg::Rows& rows) {
  std::vector<Move> moves(rows.size());
  for (std::size_t i = 0; i < moves.size(); i++) {
    moves[i] = {.id = rows.bigint(i, 1),
                .policy = rows.bigint(i, 2),
                .operation = rows.bigint(i, 3),
                .store = rows.text(i, 4),
                .key = rows.text(i, 5),
                .to_store = rows.text(i, 6),
                .to_key = rows.text(i, 7),
                .storage_class = rows.text(i, 8),
                .bytes = rows.null(i, 9) ? std::nullopt : std::optional(rows.bigint(i, 9)),
                .etag = rows.text(i, 10)};
  }
  return moves;
}

}  // namespace

void begin_move(const Move& move) {
  std::string const reason = "policy " + std::to_string(move.policy);
  outbox::NewOperation operation{.kind = move.elsewhere() ? outbox::Kind::copy : outbox::Kind::set_class,
                                 .store = move.store,
                                 .key = move.key,
                                 .target_store = move.to_store,
                                 .target_key = move.elsewhere() ? move.to_key : move.storage_class,
                                 .payload = std::nullopt,
                                 .options_json = outbox::kWithReceipt,
                                 .reason = reason};
  std::int64_t const id = outbox::enqueue(operation);
  static pg::Statement insert(
      "INSERT INTO audiostore.moves (policy_id, operation_id, store, key, to_store, to_key, storage_class, bytes)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      {INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID});
  insert.execute({Int64GetDatum(move.policy), Int64GetDatum(id), pg::text_argument(move.store),
                  pg::text_argument(move.key), text_or_null(move.to_store), text_or_null(move.to_key),
                  text_or_null(move.storage_class),
                  move.bytes ? pg::Argument(Int64GetDatum(*move.bytes)) : pg::Argument()});
}

std::vector<bool> under_way(std::span<const ObjectName> objects) {
  std::vector<std::string> stores;
  std::vector<std::string> keys;
  for (ObjectName const& object : objects) {
    stores.push_back(object.store);
    keys.push_back(object.key);
  }
  static pg::Statement find(
      "SELECT o.n FROM unnest($1, $2) WITH ORDINALITY AS o(key, store, n)"
      " JOIN audiostore.moves m ON m.key = o.key AND m.store = o.store",
      {TEXTARRAYOID, TEXTARRAYOID});
  find.execute({pg::text_array(keys), pg::text_array(stores)});
  std::vector<bool> found(objects.size());
  for (std::size_t i = 0; i < find.rows().size(); i++)
    found[static_cast<std::size_t>(find.rows().bigint(i, 1)) - 1] = true;
  return found;
}

std::size_t count_under_way(std::int64_t policy, std::size_t limit) {
  static pg::Statement count("SELECT count(*) FROM (SELECT FROM audiostore.moves WHERE policy_id = $1 LIMIT $2) m",
                             {INT8OID, INT8OID});
  count.execute({Int64GetDatum(policy), Int64GetDatum(static_cast<std::int64_t>(limit))});
  return static_cast<std::size_t>(count.rows().bigint(0, 1));
}

std::vector<Move> find_done(std::size_t limit) {
  static std::string const sql =
      std::string("SELECT ") + kColumns + " WHERE m.retry_at <= clock_timestamp() ORDER BY m.id LIMIT $1";
  static pg::Statement find(sql.c_str(), {INT8OID});
  find.execute({Int64GetDatum(static_cast<std::int64_t>(limit))});
  return read_moves(find.rows());
}

std::vector<Move> lock_done(std::span<const std::int64_t> ids) {
  static std::string const sql =
      std::string("SELECT ") + kColumns + " WHERE m.id = ANY ($1) ORDER BY m.id FOR UPDATE OF m SKIP LOCKED";
  static pg::Statement lock(sql.c_str(), {INT8ARRAYOID});
  lock.execute({pg::bigint_array(ids)});
  return read_moves(lock.rows());
}

std::optional<double> seconds_until_retry() {
  static pg::Statement next(
      "SELECT EXTRACT(epoch FROM min(m.retry_at) - clock_timestamp())::float8 FROM audiostore.moves m"
      " WHERE EXISTS (SELECT FROM audiostore.operation_receipts r WHERE r.operation_id = m.operation_id)",
      {});
  next.execute({});
  if (next.rows().null(0, 1)) return std::nullopt;
  return DatumGetFloat8(next.rows().datum(0, 1).value);
}

void end_moves(std::span<const Move> moves) {
  if (moves.empty()) return;
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> operations;
  for (Move const& move : moves) {
    ids.push_back(move.id);
    operations.push_back(move.operation);
  }
  static pg::Statement remove("DELETE FROM audiostore.moves WHERE id = ANY ($1)", {INT8ARRAYOID});
  remove.execute({pg::bigint_array(ids)});
  outbox::remove_receipts(operations);
}

void put_off(const Move& move, const std::string& error) {
  static pg::Statement put_off(
      "UPDATE audiostore.moves SET last_error = $2, failures = failures + ($2 IS NOT NULL)::integer,"
      " retry_at = clock_timestamp() + CASE WHEN $2 IS NULL THEN interval '1 second'"
      "  ELSE least(interval '1 hour', interval '5 seconds' * power(2, least(failures, 20))) END WHERE id = $1",
      {INT8OID, TEXTOID});
  put_off.execute({Int64GetDatum(move.id), text_or_null(error)});
}

std::uint64_t end_cancelled() {
  static pg::Statement end(
      "DELETE FROM audiostore.moves m WHERE NOT EXISTS (SELECT FROM audiostore.operation_rows o WHERE o.id = "
      "m.operation_id)"
      " AND NOT EXISTS (SELECT FROM audiostore.operation_receipts r WHERE r.operation_id = m.operation_id)",
      {});
  return end.execute({});
}

std::uint64_t end_pointless() {
  static pg::Statement dead(
      "SELECT m.id, m.operation_id, m.store, m.key FROM audiostore.moves m JOIN audiostore.operation_rows o"
      " ON o.id = m.operation_id WHERE o.state = 'dead' ORDER BY m.store, m.key",
      {});
  dead.execute({});
  pg::Rows const rows = dead.rows();
  std::vector<Move> moves(rows.size());
  for (std::size_t i = 0; i < moves.size(); i++) {
    moves[i].id = rows.bigint(i, 1);
    moves[i].operation = rows.bigint(i, 2);
    moves[i].store = rows.text(i, 3);
    moves[i].key = rows.text(i, 4);
  }
  std::erase_if(moves, [](Move const& move) {
    tracking::Holders holders({.store = move.store, .without = InvalidOid, .purpose = tracking::Purpose::queueing});
    return !holders.empty() && holders.probe(move.key) != tracking::Holding::none;
  });
  std::erase_if(moves, [](Move const& move) { return !outbox::drop_dead(move.operation); });
  end_moves(moves);
  return moves.size();
}

}  // namespace audiostore::lifecycle
