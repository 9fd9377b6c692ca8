#include "worker/runs.hpp"

#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::worker {

std::int64_t begin_run(std::string_view task) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(
      "INSERT INTO audiostore.runs (task, started_at, pid) VALUES ($1, clock_timestamp(), pg_backend_pid()) "
      "RETURNING id",
      {TEXTOID});
  statement.execute({pg::text_argument(task)});
  return statement.rows().bigint(0, 1);
}

void finish_run(std::int64_t id, const RunResult& result) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(
      "UPDATE audiostore.runs SET finished_at = clock_timestamp(), rows = $2, bytes = $3, error = $4 WHERE id = $1",
      {INT8OID, INT8OID, INT8OID, TEXTOID});
  statement.execute({Int64GetDatum(id), Int64GetDatum(result.rows), Int64GetDatum(result.bytes),
                     result.error.empty() ? pg::Argument() : pg::text_argument(result.error)});
}

}  // namespace audiostore::worker
