// The columns store and storage_provider of the seeds' tables: the default of the one, and the trigger that derives the
// other from it.
#include "pg/datum.hpp"
#include "pg/guard.hpp"
#include "pg/settings.hpp"

namespace audiostore::uploads {
namespace {

Datum default_store(FunctionCallInfo info) {
  std::string_view const name = pg::settings::default_store();
  info->isnull = name.empty();
  return info->isnull ? Datum{0} : pg::varlena_datum(name);
}

// Bulk inserts ask for the same store again and again.
struct LastLookup {
  bool valid = false;
  NameData store{};
  NameData provider{};  // empty: no such server, or not one of ours
};

LastLookup last_lookup;

// Inside pg::call.
void look_up(std::string_view store, NameData& provider) {
  char name[NAMEDATALEN];
  provider = NameData{};
  if (store.size() >= NAMEDATALEN) return;
  std::memcpy(name, store.data(), store.size());
  name[store.size()] = '\0';
  ForeignServer const* server = GetForeignServerByName(name, true);
  if (server == nullptr || server->fdwid != get_foreign_data_wrapper_oid("audiostore", true)) return;
  ListCell* cell = nullptr;
  foreach (cell, server->options) {
    auto* option = static_cast<DefElem*>(lfirst(cell));
    if (std::strcmp(option->defname, "provider") == 0) namestrcpy(&provider, defGetString(option));
  }
}

std::string_view provider_of(std::string_view store) {
  static bool registered = false;
  if (!registered) {
    pg::call([] {
      auto const forget = [](Datum, int, uint32) { last_lookup.valid = false; };
      CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget, Datum{0});
      CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, forget, Datum{0});
    });
    registered = true;
  }
  if (!last_lookup.valid || NameStr(last_lookup.store) != store) {
    NameData provider{};
    pg::call([&] { look_up(store, provider); });
    last_lookup = {.valid = store.size() < NAMEDATALEN, .provider = provider};
    if (last_lookup.valid) std::memcpy(NameStr(last_lookup.store), store.data(), store.size());
  }
  return NameStr(last_lookup.provider);
}

AttrNumber column(const TriggerData& trigger, const char* name) {
  auto* const table = trigger.tg_relation;
  AttrNumber const number = get_attnum(RelationGetRelid(table), name);
  if (number > 0) return number;
  ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
          errmsg("column \"%s\" of relation \"%s\" does not exist", name, RelationGetRelationName(table)));
  pg_unreachable();
}

Datum fill_storage_provider(FunctionCallInfo info) {
  if (!CALLED_AS_TRIGGER(info)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "fill_storage_provider() is a trigger function");
  }
  auto const& trigger = *reinterpret_cast<const TriggerData*>(info->context);
  if (!TRIGGER_FIRED_BEFORE(trigger.tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger.tg_event)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                       "fill_storage_provider() must be a BEFORE ROW trigger");
  }
  auto* const row = TRIGGER_FIRED_BY_UPDATE(trigger.tg_event) ? trigger.tg_newtuple : trigger.tg_trigtuple;
  if (TRIGGER_FIRED_BY_DELETE(trigger.tg_event)) return PointerGetDatum(row);
  auto* const shape = RelationGetDescr(trigger.tg_relation);
  NullableDatum const store = pg::call([&] {
    NullableDatum value{};
    value.value = heap_getattr(row, column(trigger, "store"), shape, &value.isnull);
    return value;
  });
  std::string_view const provider = store.isnull ? std::string_view() : provider_of(pg::view(store.value));
  return pg::call([&] {
    int number = column(trigger, "storage_provider");
    bool null = provider.empty();
    Datum value =
        null ? Datum{0} : PointerGetDatum(cstring_to_text_with_len(provider.data(), static_cast<int>(provider.size())));
    return PointerGetDatum(heap_modify_tuple_by_cols(row, shape, 1, &number, &value, &null));
  });
}

}  // namespace
}  // namespace audiostore::uploads

AUDIOSTORE_FUNCTION(default_store, audiostore::uploads::default_store)
AUDIOSTORE_FUNCTION(fill_storage_provider, audiostore::uploads::fill_storage_provider)
