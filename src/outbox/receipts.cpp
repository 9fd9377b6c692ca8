#include "outbox/receipts.hpp"

#include "pg/statement.hpp"

namespace audiostore::outbox {
namespace {

std::uint64_t written = 0;

}  // namespace

void write_receipt(std::int64_t operation, std::string_view etag) {
  static pg::Statement write(
      "INSERT INTO audiostore.operation_receipts (operation_id, etag) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      {INT8OID, TEXTOID});
  write.execute({Int64GetDatum(operation), etag.empty() ? pg::Argument() : pg::text_argument(etag)});
  written++;
}

void remove_receipts(const std::vector<std::int64_t>& operations) {
  static pg::Statement remove("DELETE FROM audiostore.operation_receipts WHERE operation_id = ANY($1)", {INT8ARRAYOID});
  remove.execute({pg::bigint_array(operations)});
}

std::uint64_t receipts_written() { return written; }

}  // namespace audiostore::outbox
