// The jobs audio_finalize: raw audio comes from its store, is mastered by a decoder, put as final/<asset>.wav, looked
// at again and only then entered in its row; the raw object goes because no live row holds it any more. One step() does
// what can be done without waiting; whoever owns it waits for replies and for the decoders in between. The database
// worker keeps one for its life, CALL audiostore.run('mastering') makes one until no job is due.
//
//   claim (transaction)                  work (none)                    settle (transaction)
//   pending ─► running, intent to write ─► fetch ─► decode ─► put ─► head ─► row, rules, segments, job done
//
// What would surprise you: before the first byte of the final object travels, its delete is queued for later. The
// row that comes to hold the key cancels it; if none does, whatever we wrote goes. So a crash at any step leaves
// nothing behind, and the job's next attempt starts from the raw object, which lives until the row has moved on.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audio/wire.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/spool.hpp"
#include "base/task.hpp"
#include "foreign/stores.hpp"
#include "mastering/finalize_job.hpp"
#include "monitor/running.hpp"
#include "pg/transactions.hpp"
#include "sandbox/decoder.hpp"

namespace audiostore::mastering {

struct Finalized {
  std::int64_t jobs = 0;   // settled, well or not
  std::int64_t bytes = 0;  // put
};

class Finalizer {
 public:
  // Whether it waits for raw audio whose put is still queued, or leaves its job for later.
  enum class Patience { none, waits };

  Finalizer(pg::Transactions& transactions, Patience patience);
  ~Finalizer();
  Finalizer(const Finalizer&) = delete;
  Finalizer& operator=(const Finalizer&) = delete;

  // Jobs of processes that are gone become due again; once, at the start.
  void recover();
  // Returns when to call again at the latest (now: at once).
  TimePoint step(TimePoint now);
  bool busy() const { return !works_.empty(); }
  // The last step found no job that it could do now.
  bool idle() const { return works_.empty() && (nothing_due_ || gave_up_waiting_); }
  // Descriptors that become readable when a decoder is done.
  void add_wait_fds(std::vector<int>& fds) const;
  Finalized finalized() const { return finalized_; }
  // Gives all claims back.
  void stop();

 private:
  enum class Stage { awaiting_put, fetching, awaiting_decoder, decoding, putting, awaiting_settlement };

  struct Work {
    FinalizeJob job;
    Asset asset;
    Stage stage = Stage::awaiting_put;
    TimePoint leased_until{};
    TimePoint look_at_put{};
    std::shared_ptr<foreign::OpenStore> store;
    std::optional<Spool> raw;
    std::string raw_sha256;
    std::optional<Spool> final;
    Task<void> exchange;
    bool exchange_done = false;
    sandbox::Decoder* decoder = nullptr;
    audio::wire::Reply reply{};
    std::optional<Error> error;
    bool put_off = false;  // with the error, and without counting the attempt
  };

  void claim(TimePoint now);
  void begin(const FinalizeJob& job, TimePoint now, std::vector<Work>& begun);
  void extend(TimePoint now);
  void tell_progress();
  void look_for_raw(TimePoint now);
  void advance(Work& work);
  void fetch(Work& work);
  void decode(Work& work);
  void finish_decoding(Work& work);
  void put(Work& work);
  void settle_finished();
  void settle(Work& work);
  void finish(std::list<Work>::iterator work);
  void fail(Work& work, Error error);
  void release_decoder(Work& work);
  TimePoint next_time(TimePoint now) const;

  pg::Transactions& transactions_;
  Patience patience_;
  std::string worker_;
  std::list<Work> works_;
  std::vector<std::unique_ptr<sandbox::Decoder>> decoders_;
  std::vector<sandbox::Decoder*> free_decoders_;
  TimePoint not_before_{};  // no look for jobs before
  bool look_wanted_ = false;
  bool nothing_due_ = false;
  bool gave_up_waiting_ = false;
  Finalized finalized_;
  monitor::Running progress_;  // while there is work
  std::int64_t finalized_before_ = 0;
};

// Every job that is due, from inside a procedure: CALL audiostore.run('mastering').
Finalized finalize_now();

}  // namespace audiostore::mastering
