// repair_dangling(): rows whose objects are gone are deleted, let go of them, or get them back from another store.
#include "audit/again.hpp"
#include "outbox/enqueue.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "pg/result_set.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/column.hpp"

namespace audiostore::audit {
namespace {

constexpr std::int64_t kMost = 10'000;
constexpr std::size_t kBatch = 1000;

enum class Action { delete_row, set_null, restore };

struct Wish {
  OwnedAudit audit;
  foreign::StoreHandle store;
  Action action = Action::delete_row;
  foreign::StoreHandle from;  // restore
};

struct Outcome {
  std::string_view what;
  std::string detail;
};

Action action_named(std::string_view name) {
  if (name == "delete_row") return Action::delete_row;
  if (name == "set_null") return Action::set_null;
  if (name == "restore") return Action::restore;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "unknown action \"" + std::string(name) + "\"", {},
                     "Valid actions are delete_row, set_null and restore.");
}

Wish read_wish(const pg::Arguments& arguments) {
  Wish wish;
  std::int64_t const id = arguments.bigint(0, "audit_id");
  wish.action = action_named(arguments.text(1, "action"));
  std::string_view const from = arguments.name_or_empty(2);
  if (wish.action == Action::restore && from.empty()) {
    throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "from_store must not be null", {},
                       "Name the store that still has the objects.");
  }
  if (wish.action != Action::restore && !from.empty()) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "from_store is for the action restore only");
  }
  Oid const caller = GetUserId();
  {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    wish.audit = owned_audit(id, caller);
  }
  wish.store = foreign::find_store(wish.audit.store);
  foreign::check_usage(wish.store, caller);
  if (wish.action == Action::restore) {
    wish.from = foreign::find_store(from);
    foreign::check_usage(wish.from, caller);
    if (wish.from.server == wish.store.server) {
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "from_store is the store that lacks the objects");
    }
  }
  return wish;
}

std::string table_name(Oid relation) {
  const char* const name = pg::call([relation]() -> const char* {
    char* const table = get_rel_name(relation);
    return table == nullptr ? nullptr
                            : quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), table);
  });
  return name == nullptr ? std::string() : name;
}

// Who may not read a table is not told of its rows.
bool may_read(Oid relation) {
  return pg::call([&] { return pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK; });
}

// The live rows that hold the key: still those that were found.
std::string places(const Again& finding, const Evidence& evidence) {
  std::string list;
  for (RowEvidence const& row : evidence.rows) {
    if (row.relation != finding.suspect.candidate.relation || row.key_column != finding.suspect.candidate.key_column) {
      continue;
    }
    auto* const tid = const_cast<ItemPointer>(&row.tid);
    if (!list.empty()) list += ", ";
    list += "'(" + std::to_string(ItemPointerGetBlockNumber(tid)) + "," +
            std::to_string(ItemPointerGetOffsetNumber(tid)) + ")'::pg_catalog.tid";
  }
  return list;
}

// With the rights and the search_path of the caller, as triggers may need them. A row that was changed a moment ago is
// at another place, and stays as it is.
std::uint64_t change_rows(const Wish& wish, const Again& finding, const Evidence& evidence) {
  Candidate const& candidate = finding.suspect.candidate;
  std::string const table = table_name(candidate.relation);
  std::string const rows = places(finding, evidence);
  if (table.empty() || rows.empty()) return 0;
  std::string const column = pg::call([&] { return quote_identifier(candidate.key_column.c_str()); });
  std::string const what = wish.action == Action::delete_row ? "DELETE FROM ONLY " + table
                                                             : "UPDATE ONLY " + table + " SET " + column + " = NULL";
  std::string const sql = what + " WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY[" + rows + "]) AND " + column +
                          " OPERATOR(pg_catalog.=) $1";
  return pg::call([&] {
    Oid type = TEXTOID;
    Datum key = PointerGetDatum(cstring_to_text_with_len(candidate.key.data(), static_cast<int>(candidate.key.size())));
    SPI_connect();
    int const done = SPI_execute_with_args(sql.c_str(), 1, &type, &key, nullptr, false, 0);
    if (done < 0) elog(ERROR, "could not change a dangling row: %s", SPI_result_code_string(done));
    std::uint64_t const changed = SPI_processed;
    SPI_finish();
    return changed;
  });
}

Outcome repair_row(const Wish& wish, const Again& finding, const Evidence& evidence) {
  std::uint64_t changed = 0;
  auto const failure = pg::attempt([&] { changed = change_rows(wish, finding, evidence); });
  if (failure) return {.what = "failed", .detail = failure->message};
  if (changed == 0) return {.what = "not needed", .detail = {}};
  return {.what = wish.action == Action::delete_row ? "row deleted" : "key set to null", .detail = {}};
}

Outcome restore(const Wish& wish, const Again& finding, const Suspect& source) {
  if (!source.now) {
    return {.what = "failed", .detail = "store \"" + wish.from.name + "\" does not have the object"};
  }
  std::string const key = finding.suspect.candidate.key;
  std::string const reason = "restored, audit " + std::to_string(wish.audit.id);
  auto const failure = pg::attempt([&] {
    outbox::enqueue({.kind = outbox::Kind::copy,
                     .store = wish.from.name,
                     .key = key,
                     .target_store = wish.store.name,
                     .target_key = key,
                     .payload = std::nullopt,
                     .reason = reason});
  });
  if (failure) return {.what = "failed", .detail = failure->message};
  return {.what = "copy queued", .detail = {}};
}

// What the other store has, now.
Suspects ask_source(const Wish& wish, const std::vector<Again>& findings) {
  Suspects sources;
  for (Again const& finding : findings) {
    Suspect& source = sources.emplace_back();
    source.candidate.finding = Finding::dangling_row;  // asked about one by one
    source.candidate.key = finding.suspect.candidate.key;
  }
  if (!sources.empty()) {
    auto const open = foreign::open_store(wish.from, GetUserId());
    foreign::run(ask_store(*open->store, sources, {.prefix = {}, .after = {}, .until = {}}));
  }
  return sources;
}

void report(pg::ResultSet& result, const Again& finding, const Outcome& outcome) {
  Candidate const& candidate = finding.suspect.candidate;
  bool const there = !table_name(candidate.relation).empty();
  result.add({NullableDatum{pg::varlena_datum(candidate.key), false},
              NullableDatum{ObjectIdGetDatum(candidate.relation), !there},
              NullableDatum{pg::varlena_datum(outcome.what), false}, pg::text_or_null(outcome.detail)});
}

Datum repair_dangling(FunctionCallInfo info) {
  Wish const wish = read_wish(pg::Arguments(info));
  auto const open = foreign::open_store(wish.store, GetUserId());
  pg::ResultSet result(info);
  std::vector<Again> findings;
  {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    findings = unresolved(wish.audit, Finding::dangling_row, kMost);
  }
  std::erase_if(findings, [](const Again& finding) { return !may_read(finding.suspect.candidate.relation); });
  look_and_ask(wish.audit, *open, findings);
  Suspects const sources = wish.action == Action::restore ? ask_source(wish, findings) : Suspects();
  for (std::size_t first = 0; first < findings.size(); first += kBatch) {
    auto const batch = std::span(findings).subspan(first, std::min(kBatch, findings.size() - first));
    auto const evidence = look_again(wish.audit, batch);
    for (std::size_t i = 0; i < batch.size(); i++) {
      pg::check_interrupts();
      pg::MemoryScope const memory("audiostore repair");
      Outcome outcome{.what = "not needed", .detail = {}};
      if (batch[i].suspicious) {
        outcome = wish.action == Action::restore ? restore(wish, batch[i], sources[first + i])
                                                 : repair_row(wish, batch[i], evidence[i]);
      }
      if (outcome.what != "failed") {
        pg::Spi const spi;
        pg::AsExtensionOwner const owner;
        resolve(batch[i].id, std::string(outcome.what));
      }
      report(result, batch[i], outcome);
    }
  }
  return Datum{0};
}

}  // namespace
}  // namespace audiostore::audit

AUDIOSTORE_FUNCTION(repair_dangling, audiostore::audit::repair_dangling)
