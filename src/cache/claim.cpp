// Stampede protection. A claim is a lock: a crash, the end of the session and (inside a transaction block) the end of
// the transaction let go of it without our help. Outside a block it belongs to the session, so that the statement that
// generates and the one that puts may be two; the put of its key releases it, once that is committed and can be seen.
#include "cache/claim.hpp"

#include "cache/lookup.hpp"
#include "pg/arguments.hpp"
#include "pg/lock_held.hpp"
#include "pg/subtransaction.hpp"
#include "pg/time.hpp"

namespace audiostore::cache {
namespace {

constexpr std::uint16_t kClaimLock = 0xA504;
constexpr std::int64_t kLongestWait = std::int64_t{3600} * 1000;

struct Claim {
  std::uint64_t hash;
  bool done;  // put by this transaction
};
std::vector<Claim>& claims() {
  static std::vector<Claim> list;
  return list;
}

LOCKTAG tag_for(std::uint64_t hash) {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(hash),
                       kClaimLock);
  return tag;
}

void release(std::uint64_t hash) {
  LOCKTAG const tag = tag_for(hash);
  LockRelease(&tag, ExclusiveLock, true);
}

// Not while the transaction could still fail, and not before others can see what it did.
void on_transaction_end(XactEvent event, void* /*unused*/) {
  bool const committed = event == XACT_EVENT_COMMIT;
  if (!committed && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE) return;
  std::erase_if(claims(), [&](Claim& claim) {
    if (!claim.done) return false;
    claim.done = false;
    if (committed) release(claim.hash);
    return committed;
  });
}

bool is_held(std::uint64_t hash) {
  LOCKTAG const tag = tag_for(hash);
  return pg::lock_held(tag, ExclusiveLock);
}

bool is_cached(Datum key, std::uint64_t hash) {
  std::uint64_t const segments = segments_of(hash);
  return pg::call([&] {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    bool const found = for_each_row(segments, Purpose::lookup, key, snapshot, [](int, Relation, TupleTableSlot* slot) {
      return DatumGetTimestampTz(attribute(slot, column::expires_at)) > GetCurrentTimestamp();
    });
    UnregisterSnapshot(snapshot);
    return found;
  });
}

class Timeout {
 public:
  explicit Timeout(int milliseconds) : outer_(LockTimeout) { LockTimeout = milliseconds; }
  ~Timeout() { LockTimeout = outer_; }
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;

 private:
  int outer_;
};

bool lock(std::uint64_t hash, bool for_session, int wait_milliseconds) {
  LOCKTAG const tag = tag_for(hash);
  bool const at_once =
      pg::call([&] { return LockAcquire(&tag, ExclusiveLock, for_session, true) != LOCKACQUIRE_NOT_AVAIL; });
  if (at_once || wait_milliseconds == 0) return at_once;
  auto const failure = pg::attempt([&] {
    Timeout const timeout(wait_milliseconds);
    pg::call([&] { LockAcquire(&tag, ExclusiveLock, for_session, false); });
  });
  if (!failure) return true;
  if (failure->sqlstate == ERRCODE_LOCK_NOT_AVAILABLE) return false;
  throw pg::SqlError(failure->sqlstate, failure->message, failure->detail, failure->hint);
}

int wait_of(const pg::Arguments& arguments) {
  std::int64_t const wait = pg::to_microseconds(*DatumGetIntervalP(arguments.datum(1, "wait"))).count() / 1000;
  if (wait >= 0 && wait <= kLongestWait) return static_cast<int>(wait);
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "wait must be between 0 and 1 hour");
}

Datum claim(FunctionCallInfo info) {
  static bool registered = false;
  pg::Arguments const arguments(info);
  Datum const key = arguments.datum(0, "cache_key");
  std::uint64_t const hash = hash_of(pg::view(key));
  int const wait = wait_of(arguments);
  check_privilege(ACL_INSERT, "INSERT");
  if (!registered) {
    RegisterXactCallback(on_transaction_end, nullptr);
    registered = true;
  }
  if (is_cached(key, hash)) return BoolGetDatum(false);
  if (is_held(hash)) return BoolGetDatum(true);
  bool const for_session = !IsTransactionBlock();
  if (!lock(hash, for_session, wait)) {
    info->isnull = true;
    return Datum{0};
  }
  if (is_cached(key, hash)) {
    LOCKTAG const tag = tag_for(hash);
    LockRelease(&tag, ExclusiveLock, for_session);
    return BoolGetDatum(false);
  }
  std::erase_if(claims(), [&](const Claim& other) { return other.hash == hash; });
  if (for_session) claims().push_back({hash, false});
  return BoolGetDatum(true);
}

Datum release_claim(FunctionCallInfo info) {
  std::uint64_t const hash = hash_of(pg::Arguments(info).text(0, "cache_key"));
  std::erase_if(claims(), [&](const Claim& other) { return other.hash == hash; });
  bool const held = is_held(hash);
  if (held) release(hash);
  return BoolGetDatum(held);
}

}  // namespace

void note_claim_done(std::uint64_t hash) {
  for (Claim& claim : claims()) {
    if (claim.hash == hash) claim.done = true;
  }
}

}  // namespace audiostore::cache

AUDIOSTORE_FUNCTION(cache_claim, audiostore::cache::claim)
AUDIOSTORE_FUNCTION(cache_release, audiostore::cache::release_claim)
