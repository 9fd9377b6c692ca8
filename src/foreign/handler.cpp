// What the foreign-data wrapper audiostore can do: plan, scan, import and analyze foreign tables.
#include "foreign/table.hpp"
#include "pg/guard.hpp"

namespace audiostore::foreign {
namespace {

Datum handle(FunctionCallInfo /*info*/) {
  return pg::call([] {
    FdwRoutine* const routine = makeNode(FdwRoutine);
    add_planning(routine);
    add_scanning(routine);
    add_importing(routine);
    add_analyzing(routine);
    return PointerGetDatum(routine);
  });
}

}  // namespace
}  // namespace audiostore::foreign

AUDIOSTORE_FUNCTION(fdw_handler, audiostore::foreign::handle)
