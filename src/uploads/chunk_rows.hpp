// Writing the rows of a chunk plan into audio_chunks, as fast as COPY does and as faithful: constraints, indexes,
// triggers and transition tables as for any INSERT.
#pragma once

#include "pg/pg.hpp"
#include "uploads/chunk_plan.hpp"

namespace audiostore::uploads {

struct ChunkRows {
  Oid table = InvalidOid;    // audio_chunks, locked
  Oid uploads = InvalidOid;  // audio_uploads, whose row is locked until the transaction ends
  pg_uuid_t upload{};
  NullableDatum store{};  // of the upload
  ChunkPlan plan{};
};

// Straight into heap and indexes. False, and nothing done, when the table is not as this extension made it, in a way
// that only the executor can honour: row triggers before the insert, row security, rules, columns with defaults ...
bool insert_directly(const ChunkRows& rows);

// The same rows by an INSERT statement.
void insert_by_statement(const ChunkRows& rows);

}  // namespace audiostore::uploads
