// Reads the one option it needs straight from the catalog cache: opening the store would read its secrets too,
// for each statement.
#include "outbox/grace.hpp"

#include <string>

namespace audiostore::outbox {

Grace grace_of(std::string_view store) {
  std::string const name(store);
  return pg::call([&] {
    ForeignServer const* server = GetForeignServerByName(name.c_str(), true);
    if (server == nullptr) return Grace{};
    ListCell* cell = nullptr;
    foreach (cell, server->options) {
      auto const* option = lfirst_node(DefElem, cell);
      if (std::strcmp(option->defname, "delete_grace") != 0) continue;
      Interval const* interval = DatumGetIntervalP(
          DirectFunctionCall3(interval_in, CStringGetDatum(defGetString(const_cast<DefElem*>(option))),
                              ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
      std::int64_t const days = std::int64_t{interval->month} * DAYS_PER_MONTH + interval->day;
      return Grace{interval->time + days * USECS_PER_DAY};
    }
    return Grace{};
  });
}

}  // namespace audiostore::outbox
