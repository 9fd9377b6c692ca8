#include "outbox/held_back.hpp"

#include "pg/statement.hpp"

namespace audiostore::outbox {

std::int64_t enqueue_held_back(NewOperation operation) {
  operation.due = DT_NOEND;
  return enqueue(operation);
}

void let_go(std::int64_t id) {
  static pg::Statement statement(
      "UPDATE audiostore.operations SET not_before = clock_timestamp() "
      "WHERE id = $1 AND state = 'pending' AND not_before = 'infinity'",
      {INT8OID});
  statement.execute({Int64GetDatum(id)});
  wake_at_commit();
}

void drop_held_back(std::int64_t id) {
  static pg::Statement statement(
      "DELETE FROM audiostore.operations WHERE id = $1 AND state = 'pending' AND not_before = 'infinity'", {INT8OID});
  statement.execute({Int64GetDatum(id)});
}

bool still_there(std::int64_t id) {
  static pg::Statement statement("SELECT FROM audiostore.operations WHERE id = $1", {INT8OID});
  return statement.execute({Int64GetDatum(id)}) == 1;
}

}  // namespace audiostore::outbox
