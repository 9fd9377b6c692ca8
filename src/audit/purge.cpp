// purge_orphans(): the orphans of an audit go, through the outbox, if nothing looks as if the audit were mistaken.
#include "audit/again.hpp"
#include "outbox/enqueue.hpp"
#include "pg/arguments.hpp"
#include "pg/background.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "pg/result_set.hpp"
#include "tracking/registry.hpp"

namespace audiostore::audit {
namespace {

constexpr std::int64_t kMost = 100'000;
constexpr std::size_t kBatch = 1000;

struct Wish {
  OwnedAudit audit;
  foreign::StoreHandle store;
  bool dry_run = true;
  double max_fraction = 0;
};

Wish read_wish(const pg::Arguments& arguments) {
  Wish wish;
  std::int64_t const id = arguments.bigint(0, "audit_id");
  wish.dry_run = DatumGetBool(arguments.datum(1, "dry_run"));
  wish.max_fraction = DatumGetFloat8(arguments.datum(2, "max_fraction"));
  if (!(wish.max_fraction >= 0 && wish.max_fraction <= 1)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "max_fraction must be between 0 and 1", {},
                       "It is the part of the objects that may go at most: 0.01 is one of a hundred.");
  }
  Oid const caller = GetUserId();
  {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    wish.audit = owned_audit(id, caller);
  }
  wish.store = foreign::find_store(wish.audit.store);
  if (!pg::call([&] { return has_privs_of_role(caller, wish.store.owner); })) {
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of foreign server " + wish.store.name,
                       "A purge deletes objects that no row speaks for.");
  }
  foreign::check_usage(wish.store, caller);
  return wish;
}

bool is_empty(Oid relation) {
  return pg::call([relation] {
    Relation const table = try_relation_open(relation, AccessShareLock);
    if (table == nullptr) return true;
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    TupleTableSlot* const slot = table_slot_create(table, nullptr);
    TableScanDesc const scan = table_beginscan(table, snapshot, 0, nullptr);
    bool const any = table_scan_getnextslot(scan, ForwardScanDirection, slot);
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    UnregisterSnapshot(snapshot);
    table_close(table, NoLock);
    return !any;
  });
}

bool is_own(Oid relation) {
  return pg::call([relation] {
    return getExtensionOfObject(RelationRelationId, relation) == get_extension_oid("audiostore", false);
  });
}

// The name of a tracked table that can hold keys of the store and has no rows at all: somebody may have lost them.
std::string empty_table(std::string_view store) {
  auto const registry = tracking::Registry::current();
  std::map<Oid, bool> empty;  // by the table that track() was called for
  for (auto const& source : registry->sources(store)) {
    Oid const root = source.tracking->column->relation;
    auto const [known, added] = empty.try_emplace(root, true);
    if (added && is_own(root)) known->second = false;
    if (known->second) known->second = is_empty(source.relation);
  }
  // Partitioned tables without partitions have no source.
  for (auto const& column : registry->columns()) {
    if (!column->store_by_row() && column->store == store) empty.try_emplace(column->relation, true);
  }
  for (auto const& [relation, is] : empty) {
    if (is) return tracking::relation_name(relation);
  }
  return {};
}

struct Extent {
  std::int64_t orphans = 0;  // those that are gone by an earlier purge included
  std::int64_t left = 0;
};

Extent extent_of(const OwnedAudit& audit) {
  static pg::Statement count(
      "SELECT count(*) FILTER (WHERE resolution IS NULL OR resolution = 'delete queued'),"
      " count(*) FILTER (WHERE resolution IS NULL)"
      " FROM audiostore.audit_findings WHERE audit_id = $1 AND finding = 'orphaned_object'",
      {INT8OID});
  count.execute({Int64GetDatum(audit.id)});
  return {.orphans = count.rows().bigint(0, 1), .left = count.rows().bigint(0, 2)};
}

// Why nothing may go; nothing: it may.
std::optional<pg::SqlError> objection(const Wish& wish, const Extent& extent) {
  OwnedAudit const& audit = wish.audit;
  auto const refuse = [&](std::string detail, std::string hint) {
    return pg::SqlError(
        ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "refused to purge the orphans of audit " + std::to_string(audit.id) + " of store \"" + audit.store + "\"",
        std::move(detail), std::move(hint));
  };
  if (!audit.complete) {
    std::string const ended =
        audit.state == "done" ? std::string("some keys could not be read") : "its state is " + audit.state;
    return refuse("The audit is not complete: " + ended + ".", "Start another with audiostore.start_audit().");
  }
  if (std::string const table = empty_table(audit.store); !table.empty()) {
    return refuse("The tracked table \"" + table + "\" is empty.",
                  "If that is right, untrack it with audiostore.untrack() first.");
  }
  double const most = wish.max_fraction * static_cast<double>(audit.objects);
  if (static_cast<double>(extent.orphans) > most) {
    return refuse(std::to_string(extent.orphans) + " of the " + std::to_string(audit.objects) +
                      " objects that the audit saw would go.",
                  "Look at audiostore.audit_findings first; if they may all go, raise max_fraction.");
  }
  if (!foreign::claimed_here(wish.store)) {
    return refuse("The store is looked after by another database: this one was restored or cloned from it.",
                  "If this database takes over, run SELECT audiostore.claim_store('" + wish.store.name + "').");
  }
  return std::nullopt;
}

void warn(const pg::SqlError& objection) {
  pg::log(pg::Level::warning, {.sqlstate = objection.sqlstate(),
                               .message = "a purge would be refused",
                               .detail = objection.detail(),
                               .hint = objection.hint()});
}

void report(pg::ResultSet& result, const Again& finding, std::string_view outcome, std::optional<std::int64_t> id) {
  constexpr NullableDatum kNull{Datum{0}, true};
  auto const& object = finding.suspect.now ? finding.suspect.now : finding.suspect.candidate.listed;
  result.add({NullableDatum{pg::varlena_datum(finding.suspect.candidate.key), false},
              object ? NullableDatum{Int64GetDatum(static_cast<std::int64_t>(object->size)), false} : kNull,
              NullableDatum{pg::varlena_datum(outcome), false}, id ? NullableDatum{Int64GetDatum(*id), false} : kNull});
}

// A delete that was given up is tried again; the others are new.
void queue(const OwnedAudit& audit, std::span<Again> batch, const std::vector<Evidence>& evidence,
           std::vector<std::optional<std::int64_t>>& ids) {
  std::vector<std::string_view> keys;
  for (std::size_t i = 0; i < batch.size(); i++) {
    if (!batch[i].suspicious || !evidence[i].dead.empty()) continue;
    if (keys.empty() || keys.back() != batch[i].suspect.candidate.key)
      keys.emplace_back(batch[i].suspect.candidate.key);
  }
  outbox::enqueue_deletes(audit.store, keys, "orphan, audit " + std::to_string(audit.id));
  static pg::Statement retry("SELECT audiostore.retry_operation($1)", {INT8OID});
  for (std::size_t i = 0; i < batch.size(); i++) {
    if (!batch[i].suspicious) continue;
    ids[i] = outbox::find_delete(audit.store, batch[i].suspect.candidate.key);
    if (ids[i] && evidence[i].dead.starts_with("delete")) retry.execute({Int64GetDatum(*ids[i])});
  }
}

void act(const Wish& wish, std::span<Again> batch, pg::ResultSet& result) {
  auto const evidence = look_again(wish.audit, batch);
  std::vector<std::optional<std::int64_t>> ids(batch.size());
  if (!wish.dry_run) {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    pg::MemoryScope const memory("audiostore purge");
    queue(wish.audit, batch, evidence, ids);
    for (Again const& finding : batch) {
      if (finding.suspicious) {
        resolve(finding.id, "delete queued");
      } else if (finding.why_not != "operation queued") {
        resolve(finding.id, finding.why_not);
      }
    }
  }
  for (std::size_t i = 0; i < batch.size(); i++) {
    std::string_view const done = wish.dry_run ? "would be deleted" : "delete queued";
    report(result, batch[i], batch[i].suspicious ? done : std::string_view(batch[i].why_not), ids[i]);
  }
}

Datum purge_orphans(FunctionCallInfo info) {
  Wish const wish = read_wish(pg::Arguments(info));
  auto const open = foreign::open_store(wish.store, GetUserId());
  pg::ResultSet result(info);
  std::vector<Again> findings;
  {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    if (auto const against = objection(wish, extent_of(wish.audit))) {
      if (!wish.dry_run) throw pg::SqlError(*against);
      warn(*against);
    }
    findings = unresolved(wish.audit, Finding::orphaned_object, kMost);
  }
  look_and_ask(wish.audit, *open, findings);
  for (std::size_t first = 0; first < findings.size(); first += kBatch) {
    act(wish, std::span(findings).subspan(first, std::min(kBatch, findings.size() - first)), result);
  }
  return Datum{0};
}

}  // namespace
}  // namespace audiostore::audit

AUDIOSTORE_FUNCTION(purge_orphans, audiostore::audit::purge_orphans)
