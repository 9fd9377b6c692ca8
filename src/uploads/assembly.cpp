#include "uploads/assembly.hpp"

#include <nlohmann/json.hpp>

#include "foreign/catalog.hpp"
#include "outbox/enqueue.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::uploads {
namespace {

nlohmann::json texts_of(Datum array) {
  auto texts = nlohmann::json::array();
  Datum* elements = nullptr;
  int count = 0;
  pg::call([&] {
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, nullptr, &count);
  });
  for (int i = 0; i < count; i++) texts.push_back(std::string(pg::view(elements[i])));
  return texts;
}

Datum queue_assembly(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  foreign::StoreHandle const store = foreign::find_store(arguments.name(0, "store"));
  nlohmann::json options{
      {"parts", texts_of(arguments.datum(2, "parts"))}, {"size", arguments.bigint(3, "size")}, {"receipt", true}};
  if (auto const content_type = arguments.text_or_null(4)) options["content_type"] = std::string(*content_type);
  std::string const text = options.dump();
  return Int64GetDatum(outbox::enqueue({.kind = outbox::Kind::put,
                                        .store = store.name,
                                        .key = arguments.text(1, "key"),
                                        .target_store = {},
                                        .target_key = {},
                                        .payload = std::nullopt,
                                        .options_json = text,
                                        .reason = "chunked upload"}));
}

}  // namespace

std::int64_t advance_uploads(pg::Transactions& transactions) {
  return transactions.run([] {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    static pg::Statement any(
        "SELECT WHERE EXISTS (SELECT FROM audiostore.chunked_uploads WHERE status = 'assembling')"
        " OR EXISTS (SELECT FROM audiostore.chunked_uploads"
        "            WHERE status IN ('initiated', 'uploading') AND expires_at <= clock_timestamp())",
        {});
    if (any.execute({}) == 0) return std::int64_t{0};
    static pg::Statement advance("SELECT audiostore.advance_chunked_uploads()", {});
    advance.execute({});
    return advance.rows().bigint(0, 1);
  });
}

}  // namespace audiostore::uploads

AUDIOSTORE_FUNCTION(queue_assembly, audiostore::uploads::queue_assembly)
