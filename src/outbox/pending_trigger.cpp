// What SQL writes into the queue (an operation made a row of its own, a dump that is restored) is noted as well.
#include "outbox/pending_summary.hpp"
#include "outbox/queue_row.hpp"
#include "pg/guard.hpp"

namespace audiostore::outbox {
namespace {

std::string text_of(const TriggerData& data, HeapTuple row, AttrNumber attribute) {
  std::string found;
  pg::call([&] {
    bool null = false;
    Datum const value = heap_getattr(row, attribute, RelationGetDescr(data.tg_relation), &null);
    if (!null) found = TextDatumGetCString(value);
  });
  return found;
}

Datum note_operation(FunctionCallInfo info) {
  if (!CALLED_AS_TRIGGER(info)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "function was not called by a trigger", {},
                       "The triggers that call it come with the extension.");
  }
  auto const& data = *reinterpret_cast<TriggerData*>(info->context);
  if (!TRIGGER_FIRED_FOR_ROW(data.tg_event)) {
    note_packs();
    return PointerGetDatum(nullptr);
  }
  HeapTuple const row = TRIGGER_FIRED_BY_UPDATE(data.tg_event) ? data.tg_newtuple : data.tg_trigtuple;
  note_delete(text_of(data, row, column::store), text_of(data, row, column::key));
  return PointerGetDatum(nullptr);
}

}  // namespace
}  // namespace audiostore::outbox

AUDIOSTORE_FUNCTION(note_operation, audiostore::outbox::note_operation)
