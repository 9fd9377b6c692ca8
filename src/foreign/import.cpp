// IMPORT FOREIGN SCHEMA "raw/" FROM SERVER media: one foreign table that lists that prefix, named by the prefix's last
// segment. PostgreSQL itself applies LIMIT TO and EXCEPT to the name, and puts the table into the schema asked for.
#include "foreign/options.hpp"
#include "foreign/table.hpp"
#include "pg/guard.hpp"

namespace audiostore::foreign {
namespace {

// "a/raw/" -> "raw"; the store's own name for "/", which stands for the whole store.
std::string table_name(std::string_view prefix, const std::string& store) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.empty()) return store;
  std::size_t const slash = prefix.rfind('/');
  return std::string(slash == std::string_view::npos ? prefix : prefix.substr(slash + 1));
}

List* import_schema(ImportForeignSchemaStmt* statement, Oid server) {
  check_names(to_options(statement->options), {});
  StoreHandle const store = find_store(server);
  std::string_view prefix = statement->remote_schema;
  if (prefix.find_first_not_of('/') == std::string_view::npos) prefix = {};
  std::string const name = table_name(prefix, store.name);
  std::string const literal(prefix);
  return pg::call([&] {
    const char* const options =
        literal.empty() ? "" : psprintf(" OPTIONS (prefix %s)", quote_literal_cstr(literal.c_str()));
    return list_make1(
        psprintf("CREATE FOREIGN TABLE %s (key pg_catalog.text COLLATE pg_catalog.\"C\","
                 " size pg_catalog.int8, etag pg_catalog.text, last_modified pg_catalog.timestamptz,"
                 " storage_class pg_catalog.text) SERVER %s%s",
                 quote_identifier(name.c_str()), quote_identifier(store.name.c_str()), options));
  });
}

List* import_foreign_schema(ImportForeignSchemaStmt* statement, Oid server) {
  return pg::guarded([&] { return import_schema(statement, server); });
}

}  // namespace

void add_importing(FdwRoutine* routine) { routine->ImportForeignSchema = import_foreign_schema; }

}  // namespace audiostore::foreign
