// list_objects: the store's listing as a set; page by page into a tuplestore, so memory stays bounded.
#include "foreign/listing.hpp"
#include "objects/target.hpp"
#include "pg/result_set.hpp"

namespace audiostore::objects {
namespace {

Datum list_objects(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Target const target = find_target(arguments, 0);
  foreign::KeyRange range;
  range.add(foreign::Comparison::prefix, arguments.text_or_null(1).value_or(std::string_view()));
  pg::ResultSet result(info);
  foreign::Listing listing(target.open, range);
  while (const store::ObjectInfo* object = listing.next()) {
    auto const values = foreign::values_of(*object);
    result.add({values[0], values[1], values[2], values[3], values[4]});
  }
  return Datum{0};
}

}  // namespace
}  // namespace audiostore::objects

AUDIOSTORE_FUNCTION(list_objects, audiostore::objects::list_objects)
