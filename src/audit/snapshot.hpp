// A snapshot of this moment, for the length of a scope.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::audit {

class RegisteredSnapshot {
 public:
  RegisteredSnapshot() : snapshot_(pg::call([] { return RegisterSnapshot(GetLatestSnapshot()); })) {}
  ~RegisteredSnapshot() {
    // While an error unwinds, the abort that follows gives it back.
    if (!pg::PgError::any_alive()) UnregisterSnapshot(snapshot_);
  }
  RegisteredSnapshot(const RegisteredSnapshot&) = delete;
  RegisteredSnapshot& operator=(const RegisteredSnapshot&) = delete;
  Snapshot get() const { return snapshot_; }

 private:
  Snapshot snapshot_;
};

}  // namespace audiostore::audit
