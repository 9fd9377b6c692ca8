#include "monitor/alerts.hpp"

#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::monitor {
namespace {

// A notification takes less than 8000 bytes; the table has the whole text.
constexpr int kNotifiedCharacters = 1000;

void notify(const char* event, const Alert& alert) {
  static pg::Statement statement(
      "SELECT pg_notify('audiostore_alerts', json_build_object("
      "  'event', $1, 'name', $2, 'subject', $3, 'message', left($4, $5))::text)",
      {TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID});
  statement.execute({pg::text_argument(event), pg::text_argument(alert.name), pg::text_argument(alert.subject),
                     pg::text_argument(alert.message), Int32GetDatum(kNotifiedCharacters)});
}

}  // namespace

bool raise_alert(const Alert& alert) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(
      "INSERT INTO audiostore.alerts AS a (name, subject, message) VALUES ($1, $2, $3) "
      "ON CONFLICT (name, subject) WHERE cleared_at IS NULL DO UPDATE "
      "SET message = EXCLUDED.message, times = a.times + 1, last_raised_at = clock_timestamp() "
      "RETURNING times = 1",
      {TEXTOID, TEXTOID, TEXTOID});
  statement.execute(
      {pg::text_argument(alert.name), pg::text_argument(alert.subject), pg::text_argument(alert.message)});
  bool const fresh = statement.rows().boolean(0, 1);
  if (fresh) notify("raised", alert);
  return fresh;
}

bool clear_alert(std::string_view name, std::string_view subject) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(
      "UPDATE audiostore.alerts SET cleared_at = clock_timestamp() "
      "WHERE name = $1 AND subject = $2 AND cleared_at IS NULL RETURNING message",
      {TEXTOID, TEXTOID});
  if (statement.execute({pg::text_argument(name), pg::text_argument(subject)}) == 0) return false;
  std::string const message = statement.rows().text(0, 1);
  notify("cleared", {.name = name, .subject = subject, .message = message});
  return true;
}

}  // namespace audiostore::monitor
