// Quotas, the fullest first.
#include "html/chart.hpp"
#include "html/quantity.hpp"
#include "html/sql.hpp"
#include "html/table.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;

constexpr double kNear = 0.8;

constexpr const char* kQuotas =
    "SELECT q.workspace_id::text, w.name, u.bytes, q.max_storage_bytes, u.files, "
    "       q.max_file_count::int8, u.fullest, count(*) OVER (), "
    "       count(*) FILTER (WHERE u.fullest >= 0.8) OVER (), count(*) FILTER (WHERE u.fullest >= 1) OVER (), "
    "       u.monthly, q.monthly_uploads::int8, q.max_monthly_uploads::int8 "
    "FROM audiostore.storage_quotas q LEFT JOIN audiostore.workspaces w ON w.id = q.workspace_id, LATERAL ("
    "    SELECT q.current_storage_bytes::float8 + q.reserved_bytes AS bytes, q.current_file_count::int8 + "
    "q.reserved_files AS files"
    ") c, LATERAL ("
    "    SELECT c.bytes, c.files, q.monthly_uploads::float8 / nullif(q.max_monthly_uploads, 0) AS monthly, "
    "           greatest(c.bytes / nullif(q.max_storage_bytes, 0), "
    "                    c.files::float8 / nullif(q.max_file_count, 0), "
    "                    q.monthly_uploads::float8 / nullif(q.max_monthly_uploads, 0), "
    "                    CASE WHEN q.max_storage_bytes = 0 OR q.max_file_count = 0 THEN 1 END) AS fullest) u "
    "ORDER BY u.fullest DESC NULLS LAST, w.name, q.workspace_id LIMIT 15";

std::string of(const std::string& used, const std::string& limit) {
  return limit.empty() ? used + ", no limit" : used + " of " + limit;
}

Markup fill(const Facts& facts, std::size_t row) {
  if (facts.null(row, 7)) return "no limit";
  double const fraction = facts.number(row, 7);
  std::string const says = facts.text(row, 2) + ": " + html::percent(fraction) + " used";
  return element("span", {{"class", fraction >= kNear ? "full" : "room"}}, html::bar(fraction, says),
                 html::percent(fraction));
}

std::string space(const Facts& facts, std::size_t row) {
  return of(html::bytes(facts.number(row, 3)),
            facts.null(row, 4) ? "" : html::bytes(static_cast<double>(facts.bigint(row, 4))));
}

std::string files(const Facts& facts, std::size_t row) {
  return of(html::count(facts.bigint(row, 5)), facts.null(row, 6) ? "" : html::count(facts.bigint(row, 6)));
}

void judge(const Facts& facts, std::size_t row, Section& section) {
  constexpr std::size_t kMost = 5;  // one by one; the table has more
  double const fraction = facts.number(row, 7);
  if (facts.null(row, 7) || fraction < kNear || section.concerns.size() >= kMost) return;
  Concern concern;
  concern.urgent = fraction >= 1;
  concern.what = "Quota of workspace " + facts.text(row, 2) + (fraction >= 1 ? " is used up" : " is nearly used up");
  concern.detail = space(facts, row) + "; files: " + files(facts, row) + ".";
  if (!facts.null(row, 11)) {
    concern.detail +=
        " Uploads this month: " + of(html::count(facts.bigint(row, 12)), html::count(facts.bigint(row, 13))) + ".";
  }
  std::string const workspace = html::sql_literal(facts.text(row, 1));
  concern.sql = {
      "SELECT original_filename, file_size, uploaded_at FROM audiostore.audio_uploads WHERE workspace_id = " +
          workspace + " AND status <> 'deleted' ORDER BY file_size DESC LIMIT 20;",
      "SELECT * FROM audiostore.storage_quotas WHERE workspace_id = " + workspace + ";"};
  section.concerns.push_back(std::move(concern));
}

}  // namespace

Section quotas_section(const Period& /*period*/) {
  Section section{.id = "quotas", .title = "Quotas"};
  static pg::Statement statement(kQuotas, {});
  Facts const facts(statement);
  if (facts.size() == 0) return {};
  html::Table table("Quotas by workspace, the fullest first", {{"Workspace"},
                                                               {"Used", html::Column::Kind::bar},
                                                               {"Bytes", html::Column::Kind::number},
                                                               {"Files", html::Column::Kind::number}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    table.add({html::value(facts.text(i, 2)), fill(facts, i), space(facts, i), files(facts, i)});
    judge(facts, i, section);
  }
  std::int64_t const near = facts.bigint(0, 9);
  section.lead = html::count(near) + " of " + html::count(facts.bigint(0, 8)) + " quotas are used to 80 % or more, " +
                 html::count(facts.bigint(0, 10)) +
                 " in full. Usage is what the application counts in storage_quotas and what resumable uploads under "
                 "way reserve; used is the fullest of bytes, files "
                 "and uploads of the month.";
  section.body = table.finish(facts.bigint(0, 8));
  return section;
}

}  // namespace audiostore::report
