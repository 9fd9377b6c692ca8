#include "outbox/dead.hpp"

#include "monitor/alerts.hpp"
#include "pg/statement.hpp"

namespace audiostore::outbox {

bool drop_dead(std::int64_t id) {
  static pg::Statement statement("DELETE FROM audiostore.operations WHERE id = $1 AND state = 'dead' RETURNING store",
                                 {INT8OID});
  if (statement.execute({Int64GetDatum(id)}) == 0) return false;
  clear_alert_when_none_dead(statement.rows().text(0, 1));
  return true;
}

void clear_alert_when_none_dead(const std::string& store) {
  static pg::Statement statement(
      "SELECT FROM audiostore.operations WHERE store = $1 AND state = 'dead' AND not_before = 'infinity' LIMIT 1",
      {TEXTOID});
  if (statement.execute({pg::text_argument(store)}) == 0) monitor::clear_alert("dead_operation", store);
}

}  // namespace audiostore::outbox
