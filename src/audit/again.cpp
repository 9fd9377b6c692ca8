#include "audit/again.hpp"

#include "audit/page_merge.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "pg/time.hpp"

namespace audiostore::audit {
namespace {

constexpr std::size_t kBatch = 1000;

std::vector<Evidence> evidence_of(const OwnedAudit& audit, std::span<Again> findings) {
  std::vector<std::string> keys;
  for (Again const& finding : findings) {
    if (keys.empty() || keys.back() != finding.suspect.candidate.key) keys.push_back(finding.suspect.candidate.key);
  }
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  auto const found = look(audit.store, keys, Waiting::yes);
  if (!found) {
    throw pg::SqlError(ERRCODE_OBJECT_IN_USE, "the tracked tables of store \"" + audit.store + "\" are being changed",
                       {}, "Try again.");
  }
  std::vector<Evidence> evidence;
  std::size_t at = 0;
  for (Again const& finding : findings) {
    while (keys[at] != finding.suspect.candidate.key) at++;
    evidence.push_back((*found)[at]);
  }
  return evidence;
}

std::string why_unsuspicious(const Evidence& evidence) {
  if (evidence.other_queued || evidence.delete_queued) return "operation queued";
  return evidence.held() ? "held by a row" : "not needed";
}

void ask(store::Store& store, std::span<Again> findings, const std::string& after, const std::string& prefix) {
  Suspects asked;
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < findings.size(); i++) {
    if (!findings[i].suspicious) continue;
    asked.push_back(findings[i].suspect);
    which.push_back(i);
  }
  if (asked.empty()) return;
  foreign::run(ask_store(store, asked, {.prefix = prefix, .after = after, .until = {}}));
  for (std::size_t i = 0; i < asked.size(); i++) findings[which[i]].suspect = std::move(asked[i]);
}

}  // namespace

std::vector<Again> unresolved(const OwnedAudit& audit, Finding finding, std::int64_t limit) {
  static pg::Statement find(
      "SELECT id, key, size, last_modified, relation::oid, key_column::text FROM audiostore.audit_findings"
      " WHERE audit_id = $1 AND finding = $2 AND resolution IS NULL ORDER BY key, id LIMIT $3",
      {INT8OID, TEXTOID, INT8OID});
  find.execute({Int64GetDatum(audit.id), pg::text_argument(finding_name(finding)), Int64GetDatum(limit)});
  pg::Rows const rows = find.rows();
  std::vector<Again> found(rows.size());
  for (std::size_t i = 0; i < found.size(); i++) {
    found[i].id = rows.bigint(i, 1);
    Candidate& candidate = found[i].suspect.candidate;
    candidate.finding = finding;
    candidate.key = rows.text(i, 2);
    if (!rows.null(i, 5)) candidate.relation = DatumGetObjectId(rows.datum(i, 5).value);
    candidate.key_column = rows.text(i, 6);
    if (rows.null(i, 4)) continue;
    store::ObjectInfo object;
    object.key = candidate.key;
    object.size = rows.null(i, 3) ? 0 : static_cast<std::uint64_t>(rows.bigint(i, 3));
    object.last_modified = pg::to_time_point(rows.timestamp(i, 4));
    candidate.listed = std::move(object);
  }
  return found;
}

void look_and_ask(const OwnedAudit& audit, foreign::OpenStore& store, std::vector<Again>& findings) {
  std::string after;
  for (std::size_t first = 0; first < findings.size(); first += kBatch) {
    std::span<Again> const batch = std::span(findings).subspan(first, std::min(kBatch, findings.size() - first));
    auto evidence = evidence_of(audit, batch);
    for (std::size_t i = 0; i < batch.size(); i++) {
      Again& finding = batch[i];
      finding.suspicious = still_suspicious(finding.suspect.candidate, evidence[i]);
      if (!finding.suspicious) finding.why_not = why_unsuspicious(evidence[i]);
      finding.suspect.before = std::move(evidence[i]);
    }
    ask(*store.store, batch, after, audit.prefix);
    after = batch.back().suspect.candidate.key;
    pg::check_interrupts();
  }
}

std::vector<Evidence> look_again(const OwnedAudit& audit, std::span<Again> findings) {
  auto evidence = evidence_of(audit, findings);
  for (std::size_t i = 0; i < findings.size(); i++) {
    Again& finding = findings[i];
    if (!finding.suspicious) continue;
    RowEvidence const* witness = nullptr;
    finding.suspicious = judge(finding.suspect, evidence[i], audit.cutoff, witness) == Suspicion::founded;
    if (finding.suspicious) continue;
    bool const orphan = finding.suspect.candidate.finding == Finding::orphaned_object;
    if (!still_suspicious(finding.suspect.candidate, evidence[i])) {
      finding.why_not = why_unsuspicious(evidence[i]);
    } else if (orphan) {
      finding.why_not = finding.suspect.now ? "changed" : "gone";
    } else {
      finding.why_not = "not needed";
    }
  }
  return evidence;
}

void resolve(std::int64_t finding, const std::string& resolution) {
  static pg::Statement note(
      "UPDATE audiostore.audit_findings SET resolution = $2, resolved_at = clock_timestamp() WHERE id = $1",
      {INT8OID, TEXTOID});
  note.execute({Int64GetDatum(finding), pg::text_argument(resolution)});
}

}  // namespace audiostore::audit
