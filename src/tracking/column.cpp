#include "tracking/column.hpp"

#include "pg/guard.hpp"

namespace audiostore::tracking {
namespace {

AttrNumber find_attribute(Relation relation, const std::string& name) {
  TupleDesc const row = RelationGetDescr(relation);
  for (int i = 0; i < row->natts; i++) {
    Form_pg_attribute const attribute = TupleDescAttr(row, i);
    if (!attribute->attisdropped && name == NameStr(attribute->attname)) return attribute->attnum;
  }
  throw pg::SqlError(ERRCODE_UNDEFINED_COLUMN, "column " + quote(name) + " of relation " +
                                                   quote(RelationGetRelationName(relation)) + " does not exist");
}

Oid base_type(Relation relation, AttrNumber column) {
  Oid const type = TupleDescAttr(RelationGetDescr(relation), column - 1)->atttypid;
  return pg::call([type] { return getBaseType(type); });
}

[[noreturn]] void wrong_type(Relation relation, const std::string& column, Oid type, const char* wanted) {
  std::string const found = pg::call([type] { return format_type_be(type); });
  throw pg::SqlError(ERRCODE_DATATYPE_MISMATCH,
                     "column " + quote(column) + " of relation " + quote(RelationGetRelationName(relation)) +
                         " cannot be used for tracking",
                     "It has type " + found + ".", wanted);
}

void refuse_virtual(Relation relation, AttrNumber column) {
  Form_pg_attribute const attribute = TupleDescAttr(RelationGetDescr(relation), column - 1);
  if (attribute->attgenerated == 'v') {
    throw pg::SqlError(ERRCODE_FEATURE_NOT_SUPPORTED,
                       "cannot track virtual generated column " + quote(NameStr(attribute->attname)), {},
                       "Use a stored generated column.");
  }
}

// Inside pg::call.
Oid access_method(Oid index) {
  HeapTuple const tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  Oid const method = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relam;
  ReleaseSysCache(tuple);
  return method;
}

// Inside pg::call.
Oid first_operator_class(HeapTuple index) {
  bool null = false;
  Datum const classes = SysCacheGetAttr(INDEXRELID, index, Anum_pg_index_indclass, &null);
  return reinterpret_cast<oidvector*>(DatumGetPointer(classes))->values[0];
}

StrategyNumber equality_strategy(Oid index) {
  switch (access_method(index)) {
    case BTREE_AM_OID: return BTEqualStrategyNumber;
    case HASH_AM_OID: return HTEqualStrategyNumber;
    default: return InvalidStrategy;
  }
}

// Inside pg::call.
RegProcedure equality_function(Oid index) {
  HeapTuple const tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  Oid const operator_class = first_operator_class(tuple);
  ReleaseSysCache(tuple);
  Oid const type = get_opclass_input_type(operator_class);
  return get_opcode(get_opfamily_member(get_opclass_family(operator_class), type, type,
                                        static_cast<int16>(equality_strategy(index))));
}

// Inside pg::call: number of columns of an index that finds rows by this column, 0 when it does not.
int index_width(Oid index, AttrNumber key) {
  HeapTuple const tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
  if (!HeapTupleIsValid(tuple)) return 0;
  auto const* form = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
  int width = 0;
  if (form->indisvalid && form->indisready && form->indislive && form->indkey.values[0] == key &&
      heap_attisnull(tuple, Anum_pg_index_indpred, nullptr)) {
    Oid const family = get_opclass_family(first_operator_class(tuple));
    Oid const method = access_method(index);
    StrategyNumber const equality = equality_strategy(index);
    if (equality != InvalidStrategy &&
        get_op_opfamily_strategy(TextEqualOperator, family) == static_cast<int>(equality)) {
      width = form->indnatts + (method == HASH_AM_OID ? 1 : 0);
    }
  }
  ReleaseSysCache(tuple);
  return width;
}

}  // namespace

bool CompiledColumn::depends_on(const Bitmapset* updated) const {
  auto const set = [&](AttrNumber column) {
    return column > 0 && bms_is_member(column - FirstLowInvalidHeapAttributeNumber, updated);
  };
  return set(key) || set(store) || std::any_of(liveness.columns.begin(), liveness.columns.end(), set);
}

CompiledColumn compile_column(Relation relation, const TrackedColumn& column) {
  CompiledColumn compiled;
  compiled.owner = relation->rd_rel->relowner;
  compiled.key = find_attribute(relation, column.key_column);
  refuse_virtual(relation, compiled.key);
  if (Oid const type = base_type(relation, compiled.key); type != TEXTOID && type != VARCHAROID) {
    wrong_type(relation, column.key_column, type, "Keys are of type text or character varying.");
  }
  if (column.store_by_row()) {
    compiled.store = find_attribute(relation, column.store_column);
    refuse_virtual(relation, compiled.store);
    Oid const type = base_type(relation, compiled.store);
    if (type != TEXTOID && type != VARCHAROID && type != NAMEOID) {
      wrong_type(relation, column.store_column, type, "Names of stores are of type text, character varying or name.");
    }
    compiled.store_is_name = type == NAMEOID;
  }
  if (!column.size_column.empty()) {
    AttrNumber const size = find_attribute(relation, column.size_column);
    Oid const type = base_type(relation, size);
    if (type != INT2OID && type != INT4OID && type != INT8OID) {
      wrong_type(relation, column.size_column, type, "Sizes are of type bigint, integer or smallint.");
    }
  }
  if (!column.checksum_column.empty()) {
    AttrNumber const checksum = find_attribute(relation, column.checksum_column);
    Oid const type = base_type(relation, checksum);
    if (type != TEXTOID && type != VARCHAROID && type != BYTEAOID) {
      wrong_type(relation, column.checksum_column, type,
                 "Checksums are of type text or character varying, in hexadecimal, or of type bytea.");
    }
  }
  compiled.liveness = compile_liveness(relation, column.live_when);
  compiled.index = find_key_index(relation, compiled.key);
  if (OidIsValid(compiled.index)) compiled.equality = pg::call([&] { return equality_function(compiled.index); });
  return compiled;
}

Oid find_key_index(Relation relation, AttrNumber key) {
  return pg::call([&] {
    Oid best = InvalidOid;
    int best_width = 0;
    List* const indexes = RelationGetIndexList(relation);
    ListCell* cell = nullptr;
    foreach (cell, indexes) {
      int const width = index_width(lfirst_oid(cell), key);
      if (width > 0 && (best_width == 0 || width < best_width)) {
        best = lfirst_oid(cell);
        best_width = width;
      }
    }
    list_free(indexes);
    return best;
  });
}

std::string relation_name(Oid relation) {
  char* const name = pg::call([relation]() -> char* {
    char* const found = get_rel_name(relation);
    if (found == nullptr) return nullptr;
    Oid const schema = get_rel_namespace(relation);
    return RelationIsVisible(relation) ? found : quote_qualified_identifier(get_namespace_name(schema), found);
  });
  return name != nullptr ? name : std::to_string(relation);
}

std::string quote(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace audiostore::tracking
