#include "worker/candidates.hpp"

namespace audiostore::worker {
namespace {

// Databases that a DROP DATABASE left half way; nobody can connect to them.
constexpr int kInvalidDatabase = -2;

// The setting's check has seen to its syntax.
std::vector<std::string> parse(const std::string& named) {
  std::vector<std::string> names;
  pg::call([&] {
    List* list = NIL;
    (void)SplitIdentifierString(pstrdup(named.c_str()), ',', &list);
    ListCell* cell = nullptr;
    foreach (cell, list) names.emplace_back(static_cast<const char*>(lfirst(cell)));
  });
  return names;
}

bool wanted(const FormData_pg_database& row, const std::vector<std::string>& names) {
  if (!row.datallowconn || row.datconnlimit == kInvalidDatabase) return false;
  if (names.empty()) return !row.datistemplate;
  return std::find(names.begin(), names.end(), NameStr(row.datname)) != names.end();
}

}  // namespace

std::vector<Candidate> candidates(const std::string& named) {
  std::vector<std::string> const names = parse(named);
  std::vector<Candidate> found;
  pg::call([&] {
    Relation catalog = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(catalog, 0, nullptr);
    for (HeapTuple row = heap_getnext(scan, ForwardScanDirection); HeapTupleIsValid(row);
         row = heap_getnext(scan, ForwardScanDirection)) {
      const auto& form = *reinterpret_cast<const FormData_pg_database*>(GETSTRUCT(row));
      if (wanted(form, names)) found.push_back({form.oid, NameStr(form.datname)});
    }
    table_endscan(scan);
    table_close(catalog, AccessShareLock);
  });
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.database < b.database; });
  return found;
}

}  // namespace audiostore::worker
