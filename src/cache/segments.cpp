// See the header. A segment goes empty → open → closed → empty. It is opened and closed by whoever puts entries, in
// that transaction: until it commits, others do not see the new one and use the old one, or open another for
// themselves.
#include "cache/segments.hpp"

#include "cache/recycle.hpp"
#include "outbox/enqueue.hpp"
#include "pg/identity.hpp"
#include "pg/settings.hpp"
#include "pg/statement.hpp"

namespace audiostore::cache {
namespace {

Relations known;
SegmentState known_states[kSegments];
bool states_valid = false;
std::uint64_t excluded = 0;
std::uint64_t policies_seen = 1;

void forget(Datum /*argument*/, Oid relation) {
  if (!OidIsValid(relation) || relation == known.states) states_valid = false;
  if (!OidIsValid(relation) || relation == known.policies) policies_seen++;
  for (int i = 0; i < kSegments && OidIsValid(relation); i++) {
    if (relation == known.heaps[i] || relation == known.keys[i]) known.keys[i] = InvalidOid;
  }
  if (!OidIsValid(relation) || relation == known.table) known = Relations{};
}

[[noreturn]] void report_missing(const char* what) {
  ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("%s does not exist", what),
          errhint("The extension audiostore needs its tables as CREATE EXTENSION made them."));
  pg_unreachable();
}

Oid find_in(Oid schema, const char* name) {
  Oid const found = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
  if (!OidIsValid(found)) report_missing(psprintf("table \"%s\" of the audio cache", name));
  return found;
}

// Inside pg::call.
Relations find_relations() {
  static bool registered = false;
  if (!registered) {
    CacheRegisterRelcacheCallback(forget, Datum{0});
    registered = true;
  }
  Relations found;
  Oid const main = get_namespace_oid("audiostore", true);
  found.table = find_in(main, "audio_chunk_cache");
  found.policies = find_in(main, "cache_archive_policies");
  Oid const schema = get_namespace_oid("audiostore_cache", true);
  found.states = find_in(schema, "segments");
  found.counters = find_in(schema, "sampled_counters");
  for (int i = 0; i < kSegments; i++) {
    char name[NAMEDATALEN];
    snprintf(name, sizeof(name), "segment_%02d", i + 1);
    found.heaps[i] = find_in(schema, name);
  }
  return found;
}

// Tells every process, this one included, that states have changed.
void announce_states() {
  Oid const states = relations().states;
  pg::call([&] { CacheInvalidateRelcacheByRelid(states); });
  states_valid = false;
}

void read_states() {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement read("SELECT segment::integer, state, until FROM audiostore_cache.segments", {});
  SegmentState fresh[kSegments];
  // Set first: an invalidation that comes while reading makes it false again.
  states_valid = true;
  read.read_latest({});
  pg::Rows const rows = read.rows();
  for (std::size_t i = 0; i < rows.size(); i++) {
    int const segment = rows.integer(i, 1) - 1;
    if (segment < 0 || segment >= kSegments) continue;
    std::string const state = rows.text(i, 2);
    fresh[segment] = {
        .used = state != "empty", .open = state == "open", .until = rows.null(i, 3) ? 0 : rows.timestamp(i, 3)};
  }
  for (int i = 0; i < kSegments; i++) {
    if ((excluded & bit_of(i)) != 0) fresh[i] = {};
  }
  std::copy(std::begin(fresh), std::end(fresh), std::begin(known_states));
}

constexpr std::uint16_t kOpeningLock = 0xA500;
constexpr std::int64_t kBusy = INT64_MIN / 4;

LOCKTAG opening_tag() {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, known.states, 0, kOpeningLock);
  return tag;
}

bool lock_opening() {
  return pg::call([&] {
    LOCKTAG const tag = opening_tag();
    bool const locked = LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
    AcceptInvalidationMessages();
    return locked;
  });
}

bool lock_alone(Oid heap) {
  constexpr int kTries = 40;
  for (int i = 0; i < kTries; i++) {
    if (pg::call([&] { return ConditionalLockRelationOid(heap, AccessExclusiveLock); })) return true;
    pg::check_interrupts();
    pg_usleep(500);
  }
  return false;
}

// A segment is as durable as the setting says when it is emptied or opened, unless somebody reads it just then.
void set_durability(int segment) {
  Oid const heap = relations().heaps[segment];
  bool const unlogged = pg::settings::cache_unlogged();
  bool const is_unlogged = pg::call([&] { return get_rel_persistence(heap) == RELPERSISTENCE_UNLOGGED; });
  if (unlogged == is_unlogged) return;
  if (!lock_alone(heap)) return;
  std::string const sql = "ALTER TABLE audiostore_cache." + std::string(pg::call([&] { return get_rel_name(heap); })) +
                          (unlogged ? " SET UNLOGGED" : " SET LOGGED");
  pg::call([&] { SPI_execute(sql.c_str(), false, 0); });
}

// -1 when there is none that nobody else is opening.
int open_empty(TimestampTz until, bool may_use_reserve) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement open(
      "UPDATE audiostore_cache.segments SET state = 'open', until = $1, opened_at = clock_timestamp()"
      " WHERE segment = (SELECT segment FROM audiostore_cache.segments WHERE state = 'empty'"
      "                  ORDER BY ($2 >> (segment - 1)) & 1 DESC, opened_at NULLS FIRST, segment LIMIT 1"
      "                  FOR UPDATE SKIP LOCKED)"
      " RETURNING segment::integer",
      {TIMESTAMPTZOID, INT8OID});
  // Those that have pages to be used again come first; but not for what is moved so that such pages can go.
  std::uint64_t spare = 0;
  for (int i = 0; i < kSegments; i++) {
    if ((spare_blocks(i) > 0) != may_use_reserve && !emptied_here(i)) spare |= bit_of(i);
  }
  if (open.execute({TimestampTzGetDatum(until), Int64GetDatum(static_cast<std::int64_t>(spare))}) == 0) return -1;
  int const segment = open.rows().integer(0, 1) - 1;
  set_durability(segment);
  pg::call([&] { begin_recycling(segment); });
  announce_states();
  // The worker has to know when it ends.
  outbox::wake_at_commit();
  if (SharedCache* const shared = relations().shared) {
    // The rows of one that was emptied in this transaction come back if it is rolled back.
    if (!emptied_here(segment)) forget_segment(*shared, segment);
    if (count_empty(states()) <= 2 * kReserve) ask_for_survey(*shared);
  }
  return segment;
}

bool lock_for_writing(int segment, bool wait) {
  Oid const heap = relations().heaps[segment];
  return pg::call([&] {
    if (!wait) return ConditionalLockRelationOid(heap, RowExclusiveLock);
    LockRelationOid(heap, RowExclusiveLock);
    return true;
  });
}

// One process opens at a time, so that they do not open one each; but none waits for long for another's transaction.
bool may_open(bool has_other) {
  constexpr int kTries = 20;
  for (int tries = 0; !lock_opening(); tries++) {
    if (has_other) return false;
    if (tries == kTries) return true;
    pg::check_interrupts();
    pg_usleep(1000);
  }
  return true;
}

// The segment to put an entry into, as things stand: opened where that is due.
int choose(std::span<const SegmentState> segments, TimestampTz expires, std::int64_t time_to_live,
           bool may_use_reserve) {
  Placement const placement = place(segments, expires, time_to_live, may_use_reserve);
  if (!placement.opens) return placement.segment;
  int const other = find_nearest(segments, expires);
  if (!may_open(other >= 0)) return other;
  // Somebody else may have opened one while we waited.
  int const found = find_open(states(), expires, slack(time_to_live, count_empty(states())));
  if (found >= 0 && segments[static_cast<std::size_t>(found)].until != kBusy) return found;
  int const opened = open_empty(placement.until, may_use_reserve);
  return opened >= 0 ? opened : other;
}

}  // namespace

const Relations& relations() {
  if (OidIsValid(known.table)) return known;
  pg::call([] {
    Relations const found = find_relations();
    known = found;
  });
  Oid const table = known.table;
  SharedCache* const shared = find_shared(table);
  if (known.table == table) known.shared = shared;
  return known;
}

std::uint64_t policies_version() {
  relations();
  return policies_seen;
}

std::span<const SegmentState> states() {
  relations();
  if (!states_valid) read_states();
  return known_states;
}

std::uint64_t used_segments() {
  std::uint64_t used = 0;
  int segment = 0;
  for (SegmentState const& state : states()) {
    if (state.used) used |= bit_of(segment);
    segment++;
  }
  return used;
}

void check_privilege(AclMode mode, const char* what) {
  Oid const table = relations().table;
  if (pg::call([&] { return pg_class_aclcheck(table, GetUserId(), mode) == ACLCHECK_OK; })) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for the audio cache",
                     std::string("This needs the privilege ") + what + " on table audiostore.audio_chunk_cache.");
}

bool open_segment(int segment, Purpose purpose, OpenSegment& opened) {
  // Locking takes invalidations in, which may change what is known.
  Oid const heap = relations().heaps[segment];
  if (purpose == Purpose::change) {
    LockRelationOid(heap, RowExclusiveLock);
  } else if (!ConditionalLockRelationOid(heap, AccessShareLock)) {
    return false;
  }
  opened.heap = table_open(heap, NoLock);
  if (purpose == Purpose::peek) return true;
  Oid& key = known.keys[segment];
  if (!OidIsValid(key)) key = pg::primary_key_index(opened.heap);
  if (!OidIsValid(key)) report_missing("the primary key of a segment of the audio cache");
  opened.key = index_open(key, AccessShareLock);
  return true;
}

void close(OpenSegment& opened) {
  if (opened.key != nullptr) index_close(opened.key, NoLock);
  table_close(opened.heap, NoLock);
}

int segment_for(TimestampTz expires, std::int64_t time_to_live, bool may_use_reserve) {
  constexpr int kTries = 8;
  std::uint64_t busy = 0;  // being emptied
  for (int tries = 0; tries < 100; tries++) {
    SegmentState now[kSegments];
    auto const known_now = states();
    std::copy(known_now.begin(), known_now.end(), std::begin(now));
    for (int i = 0; i < kSegments; i++) {
      if ((busy & bit_of(i)) != 0) now[i] = {.used = true, .open = false, .until = kBusy};
    }
    int const segment = choose(now, expires, time_to_live, may_use_reserve);
    if (segment < 0) break;
    if (!lock_for_writing(segment, tries >= kTries)) {
      busy |= bit_of(segment);
      continue;
    }
    // It may have been emptied before we had the lock.
    if (states()[static_cast<std::size_t>(segment)].used) return segment;
  }
  throw pg::SqlError(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "the audio cache has no segment for another entry",
                     "All of its segments are being emptied.", "Try again.");
}

void close_segment(int segment) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement close(
      "UPDATE audiostore_cache.segments SET state = 'closed' WHERE segment = (SELECT segment"
      " FROM audiostore_cache.segments WHERE segment = $1 AND state = 'open' FOR UPDATE SKIP LOCKED)",
      {INT2OID});
  if (close.execute({Int16GetDatum(static_cast<std::int16_t>(segment + 1))}) > 0) announce_states();
}

void reopen_segment(int segment) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement open(
      "UPDATE audiostore_cache.segments SET state = 'open' WHERE segment = $1 AND state = 'closed'", {INT2OID});
  if (open.execute({Int16GetDatum(static_cast<std::int16_t>(segment + 1))}) > 0) announce_states();
}

void mark_empty(int segment) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement empty("UPDATE audiostore_cache.segments SET state = 'empty', until = NULL WHERE segment = $1",
                             {INT2OID});
  empty.execute({Int16GetDatum(static_cast<std::int16_t>(segment + 1))});
  set_durability(segment);
  announce_states();
}

Excluded::Excluded(std::uint64_t segments) : before_(excluded) {
  excluded |= segments;
  states_valid = false;
}

Excluded::~Excluded() {
  excluded = before_;
  states_valid = false;
}

Limits limits() { return {pg::settings::cache_max_entries(), pg::settings::cache_max_bytes()}; }

}  // namespace audiostore::cache
