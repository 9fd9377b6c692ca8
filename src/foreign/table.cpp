#include "foreign/table.hpp"

#include "foreign/options.hpp"
#include "pg/guard.hpp"

namespace audiostore::foreign {
namespace {

struct ColumnKind {
  const char* name;
  Oid type;
  const char* type_name;
  Field field;
};
constexpr ColumnKind kColumns[] = {{"key", TEXTOID, "text", Field::key},
                                   {"size", INT8OID, "bigint", Field::size},
                                   {"etag", TEXTOID, "text", Field::etag},
                                   {"last_modified", TIMESTAMPTZOID, "timestamp with time zone", Field::last_modified},
                                   {"storage_class", TEXTOID, "text", Field::storage_class}};

std::string described(const std::string& column, const std::string& table) {
  return "column \"" + column + "\" of foreign table \"" + table + "\"";
}

std::optional<Field> field_of(const FormData_pg_attribute& column, const std::string& table) {
  if (column.attisdropped) return std::nullopt;
  std::string const name = NameStr(column.attname);
  for (auto const& kind : kColumns) {
    if (name != kind.name) continue;
    if (column.atttypid == kind.type) return kind.field;
    throw pg::SqlError(ERRCODE_FDW_INVALID_DATA_TYPE, described(name, table) + " must have type " + kind.type_name);
  }
  throw pg::SqlError(ERRCODE_FDW_INVALID_COLUMN_NAME, described(name, table) + " is not one that a store lists", {},
                     "Columns are key text, size bigint, etag text, last_modified timestamptz, storage_class text.");
}

}  // namespace

Table describe_table(Oid relation) {
  ForeignTable* const definition = pg::call([&] { return GetForeignTable(relation); });
  Table table;
  table.store = find_store(definition->serverid);
  store::Options const options = to_options(definition->options);
  if (auto const prefix = options.find("prefix"); prefix != options.end()) table.prefix = prefix->second;
  Relation opened = pg::call([&] { return table_open(relation, NoLock); });
  std::string const name = RelationGetRelationName(opened);
  TupleDesc descriptor = RelationGetDescr(opened);
  for (int i = 0; i < descriptor->natts; i++) {
    table.columns.push_back(field_of(*TupleDescAttr(descriptor, i), name));
    if (table.columns.back() == Field::key) table.key = static_cast<AttrNumber>(i + 1);
  }
  pg::call([&] { table_close(opened, NoLock); });
  return table;
}

}  // namespace audiostore::foreign
