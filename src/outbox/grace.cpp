// Reads the one option it needs straight from the catalog cache: opening the store would read its secrets too,
// for each statement.
#include "outbox/grace.hpp"

#include <string>

#include "foreign/stores.hpp"

namespace audiostore::outbox {

namespace {

Grace read_grace(const std::string& name) {
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

// Of the store asked for last: a session's statements tend to be about one.
struct Kept {
  std::string store;
  Grace grace;
  std::uint64_t generation = 0;  // of the catalogs; they begin with 1
};

}  // namespace

Grace grace_of(std::string_view store) {
  static auto* const kept = new Kept;
  Kept& last = *kept;
  std::uint64_t const generation = foreign::catalog_generation();
  if (last.generation == generation && last.store == store) return last.grace;
  last.generation = 0;
  last.store = store;
  last.grace = read_grace(last.store);
  last.generation = generation;
  return last.grace;
}

}  // namespace audiostore::outbox
