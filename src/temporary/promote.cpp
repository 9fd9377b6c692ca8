// promote_object(): everything that it decides and queues is part of the caller's transaction; what follows is told in
// promotion.hpp.
#include "objects/target.hpp"
#include "outbox/dead.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/held_back.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"
#include "store/key_template.hpp"
#include "temporary/promotion.hpp"
#include "temporary/row.hpp"

namespace audiostore::temporary {
namespace {

struct Destination {
  std::string store;
  std::string key;
  std::string sidecar_key;
  std::string sidecar;  // JSON text; empty: none
};

bool utf8() { return GetDatabaseEncoding() == PG_UTF8; }

std::string composed(std::string_view text) {
  if (!utf8()) return std::string(text);
  static pg::Statement normalize("SELECT pg_catalog.\"normalize\"($1, 'NFC')", {TEXTOID});
  normalize.execute({pg::text_argument(text)});
  return normalize.rows().text(0, 1);
}

[[noreturn]] void throw_bad_parameter(const std::string& name, const std::string& type) {
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "parameter \"" + name + "\" of the key template has no value",
                     type == "null" ? "It is null." : "It is a JSON " + type + ".",
                     "Parameters are strings, numbers or booleans.");
}

store::KeyParameters parameters_of(const pg::Arguments& arguments, int index) {
  store::KeyParameters parameters;
  if (arguments.null(index)) return parameters;
  Datum const params = arguments.datum(index, "params");
  if (!pg::call([&] { return JB_ROOT_IS_OBJECT(DatumGetJsonbP(params)); })) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "params must be a JSON object", {},
                       R"(Write it like '{"title": "value"}'.)");
  }
  static pg::Statement members(
      "SELECT key, value #>> '{}', jsonb_typeof(value) FROM jsonb_each($1) ORDER BY key COLLATE \"C\"", {JSONBOID});
  static pg::Statement forms(
      "SELECT key, pg_catalog.\"normalize\"(value #>> '{}', 'NFC'), jsonb_typeof(value), "
      "pg_catalog.\"normalize\"(value #>> '{}', 'NFKD') FROM jsonb_each($1) ORDER BY key COLLATE \"C\"",
      {JSONBOID});
  pg::Statement& statement = utf8() ? forms : members;
  statement.execute({params});
  pg::Rows const rows = statement.rows();
  for (std::size_t i = 0; i < rows.size(); i++) {
    std::string const type = rows.text(i, 3);
    if (type == "null" || type == "array" || type == "object") throw_bad_parameter(rows.text(i, 1), type);
    parameters[rows.text(i, 1)] = {.composed = rows.text(i, 2), .decomposed = rows.text(i, utf8() ? 4 : 2)};
  }
  return parameters;
}

Destination destination_of(const pg::Arguments& arguments) {
  objects::Target const to = objects::find_target(arguments, 2);
  std::string const text = composed(arguments.text(3, "key template"));
  constexpr std::size_t kMostKeyBytes = 1024;
  std::size_t const prefix = std::min(to.open->config.common.prefix.size(), kMostKeyBytes);
  store::KeyLimits const limits{.key = kMostKeyBytes - prefix};
  Destination destination;
  destination.store = to.handle.name;
  destination.key = store::KeyTemplate(text).render(parameters_of(arguments, 4), limits);
  to.store().check_key(destination.key);
  if (!arguments.null(5)) {
    destination.sidecar_key = store::sidecar_key(destination.key);
    to.store().check_key(destination.sidecar_key);
    static pg::Statement pretty("SELECT jsonb_pretty($1)", {JSONBOID});
    pretty.execute({arguments.datum(5, "sidecar")});
    destination.sidecar = pretty.rows().text(0, 1);
  }
  return destination;
}

void queue(const Row& row, const Destination& to, const pg::Argument& sidecar) {
  // An expiry that somebody asked for by hand must not come before the move.
  std::string_view const source = row.key;
  outbox::reference_keys(row.store, std::span(&source, 1));
  std::int64_t const move = outbox::enqueue({.kind = outbox::Kind::move,
                                             .store = row.store,
                                             .key = row.key,
                                             .target_store = to.store,
                                             .target_key = to.key,
                                             .payload = {},
                                             .reason = "promote_object"});
  bool const with_sidecar = !to.sidecar_key.empty();
  std::int64_t const put = with_sidecar ? queue_sidecar(to.store, to.sidecar_key, to.sidecar) : 0;
  static pg::Statement note(
      "UPDATE audiostore.temporary_objects SET state = 'promoting', promoted_to_store = $3, promoted_to = $4, "
      "operation_id = $5, sidecar_key = $6, sidecar = $7, sidecar_operation_id = $8, last_error = NULL "
      "WHERE key = $1 AND store = $2",
      {TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID, JSONBOID, INT8OID});
  note.execute(
      {pg::text_argument(row.key), pg::text_argument(row.store), pg::text_argument(to.store), pg::text_argument(to.key),
       Int64GetDatum(move), with_sidecar ? pg::text_argument(to.sidecar_key) : pg::Argument(),
       with_sidecar ? sidecar : pg::Argument(), with_sidecar ? pg::Argument(Int64GetDatum(put)) : pg::Argument()});
}

// The same call again: what is done or under way stays, what was given up is tried again. With a new move, as the
// object may have a put in the queue that is younger than the old one.
void repeat(const Row& row, const Destination& to, const pg::Argument& sidecar) {
  if (row.state == "promoted" || (row.state == "promoting" && outbox::still_there(row.operation))) return;
  if (row.operation != 0) outbox::drop_dead(row.operation);
  queue(row, to, sidecar);
}

Datum promote(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  objects::Target const source = objects::find_target(arguments, 0, 1);
  std::string key;
  {
    pg::Spi const spi;
    Destination const to = destination_of(arguments);
    if (to.store == source.handle.name && to.key == source.key) {
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                         "cannot promote " + described(to.store, to.key) + " to its own key");
    }
    pg::Argument const sidecar = arguments.null(5) ? pg::Argument() : pg::Argument(arguments.datum(5, "sidecar"));
    pg::AsExtensionOwner const owner;
    std::optional<Row> const row = lock_row(source.handle.name, source.key);
    if (!row) throw_unknown(source.handle.name, source.key);
    if (row->leased_at(GetCurrentTimestamp())) {
      queue(*row, to, sidecar);
    } else if ((row->state == "promoting" || row->state == "promoted" || row->state == "failed") &&
               row->promoted_to_store == to.store && row->promoted_to == to.key) {
      repeat(*row, to, sidecar);
    } else {
      throw_not_leased(*row);
    }
    key = to.key;
  }
  return pg::varlena_datum(key);
}

Datum sidecar_key(FunctionCallInfo info) {
  return pg::varlena_datum(store::sidecar_key(pg::Arguments(info).text(0, "key")));
}

}  // namespace
}  // namespace audiostore::temporary

AUDIOSTORE_FUNCTION(promote_object, audiostore::temporary::promote)
AUDIOSTORE_FUNCTION(sidecar_key, audiostore::temporary::sidecar_key)
