#include "mastering/finalizer.hpp"

#include <algorithm>

#include "mastering/decoder_program.hpp"
#include "monitor/progress.hpp"
#include "pg/identity.hpp"
#include "pg/interrupts.hpp"
#include "pg/memory_scope.hpp"
#include "pg/settings.hpp"
#include "pg/statement.hpp"

namespace audiostore::mastering {
namespace {

constexpr Milliseconds kLease{120'000};
// While decoders are busy, the next jobs' audio may come, and the last ones' may go.
constexpr std::size_t kAhead = 2;
// Jobs come with a wake; this is for those that wait for their time, or whose claimant died.
constexpr Milliseconds kLookForJobs{2'000};
// Wakes and replies that concern other tasks come thick and fast: no look follows another sooner than this.
constexpr Milliseconds kBetweenLooks{50};
constexpr Milliseconds kLookForRaw{100};
// The object is written long before, or its job has failed.
constexpr Milliseconds kIntentLasts{std::chrono::hours(1)};
// Below the data directory, where this process is.
constexpr const char* kTemporaryFiles = "base/pgsql_tmp";

TimePoint clock_now() { return SystemClock().now(); }

template <class F>
void in_transaction(pg::Transactions& transactions, F&& body) {
  transactions.run([&] {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    pg::MemoryScope const memory("audiostore mastering");
    body();
  });
}

// Failures that another attempt would meet again.
bool lasting(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_audio:
    case ErrorKind::unsupported:
    case ErrorKind::invalid_argument:
    case ErrorKind::invalid_key:
    case ErrorKind::too_large:
    case ErrorKind::not_found: return true;
    default: return false;
  }
}

Error as_error(const pg::Failure& failure) {
  return {ErrorKind::internal, failure.message, failure.detail, failure.hint};
}

Task<void> fetch_into(std::shared_ptr<foreign::OpenStore> store, std::string key, Spool& spool) {
  store::Sink const sink = [&spool](BytesView piece) { spool.append(piece); };
  auto get = store->store->get(std::move(key), store::Range{}, sink);
  co_await get;
}

// The object is there, whole, before any row may name it.
Task<void> put_and_look(std::shared_ptr<foreign::OpenStore> store, std::string key, store::Body body,
                        std::uint64_t size) {
  store::PutOptions options;
  options.content_type = "audio/wav";
  auto put = store->store->put(key, body, options);
  co_await put;
  auto head = store->store->head(key);
  std::optional<store::ObjectInfo> const info = co_await head;
  if (!info || info->size != size) {
    throw Error(ErrorKind::bad_reply, "object \"" + key + "\" is not what was put",
                info ? "The store says it has " + std::to_string(info->size) + " bytes, and " + std::to_string(size) +
                           " were sent."
                     : "The store does not have it.");
  }
}

audio::wire::Request request_for(const FinalizeJob& job, std::uint64_t size) {
  audio::wire::Request request{};
  request.magic = audio::wire::kRequestMagic;
  request.version = audio::wire::kVersion;
  request.operation = audio::wire::Operation::master;
  request.format = audio::wire::Format::wav;
  request.input = {.size = size, .head = size, .tail = 0};
  request.max_output = kMostFinalBytes;
  request.target_lufs = job.target_lufs;
  request.max_true_peak_dbtp = job.max_true_peak_dbtp;
  return request;
}

}  // namespace

Finalizer::Finalizer(pg::Transactions& transactions, Patience patience)
    : transactions_(transactions), patience_(patience), worker_("audiostore worker " + std::to_string(MyProcPid)) {}

Finalizer::~Finalizer() = default;

TimePoint Finalizer::step(TimePoint now) {
  for (Work& work : works_) advance(work);
  judge_and_settle();
  extend(now);
  look_for_raw(now);
  claim(now);
  // What was claimed or judged just now can start.
  for (Work& work : works_) advance(work);
  return next_time(now);
}

TimePoint Finalizer::next_time(TimePoint now) const {
  TimePoint next = look_wanted_ ? not_before_ : not_before_ - kBetweenLooks + kLookForJobs;
  for (Work const& work : works_) {
    bool const ready = work.stage == Stage::awaiting_judgement || work.stage == Stage::awaiting_settlement ||
                       (work.error && work.stage != Stage::putting && work.stage != Stage::fetching);
    if (ready || (work.exchange_done && work.stage != Stage::decoding)) return now;
    if (work.stage == Stage::awaiting_put) next = std::min(next, work.look_at_put);
    if (work.stage == Stage::decoding) next = std::min(next, work.decoder->deadline());
    next = std::min(next, work.leased_until - kLease / 2);
  }
  return std::max(next, now);
}

void Finalizer::add_wait_fds(std::vector<int>& fds) const {
  for (Work const& work : works_) {
    if (work.stage == Stage::decoding) fds.push_back(work.decoder->wait_fd());
  }
}

void Finalizer::claim(TimePoint now) {
  auto const least = patience_ == Patience::none ? 1 : 0;
  auto const workers = static_cast<std::size_t>(std::max(pg::settings::audio_workers(), least));
  while (decoders_.size() < workers) {
    decoders_.push_back(std::make_unique<sandbox::Decoder>(decoder_directory()));
    free_decoders_.push_back(decoders_.back().get());
  }
  std::size_t const room = workers == 0 ? 0 : workers + kAhead - std::min(works_.size(), workers + kAhead);
  look_wanted_ = room > 0 && !gave_up_waiting_;
  if (!look_wanted_ || now < not_before_) return;
  std::vector<FinalizeJob> jobs;
  in_transaction(transactions_, [&] { jobs = claim_finalize_jobs(worker_, kLease, static_cast<int>(room)); });
  nothing_due_ = jobs.empty();
  look_wanted_ = false;
  not_before_ = now + kBetweenLooks;
  for (FinalizeJob& job : jobs) {
    Work& work = works_.emplace_back();
    work.job = std::move(job);
    work.leased_until = now + kLease;
    work.look_at_put = now;
    if (work.job.asset.empty()) {
      fail(work, Error(ErrorKind::not_found, "the job names no asset that exists"));
    }
  }
  look_for_raw(now);
}

void Finalizer::look_for_raw(TimePoint now) {
  std::vector<Work*> waiting;
  for (Work& work : works_) {
    if (work.stage == Stage::awaiting_put && work.look_at_put <= now) waiting.push_back(&work);
  }
  if (waiting.empty()) return;
  in_transaction(transactions_, [&] {
    for (Work* work : waiting) {
      work->look_at_put = now + kLookForRaw;
      if (!raw_is_stored(work->job)) {
        // Nobody may be there to store it.
        if (patience_ == Patience::none)
          put_off(*work, Error(ErrorKind::unavailable, "its raw audio is not stored yet"));
        continue;
      }
      auto const failure = pg::attempt([&] {
        foreign::StoreHandle const handle = foreign::find_store(work->job.store);
        if (!foreign::claimed_here(handle)) {
          throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                             "store \"" + handle.name + "\" is looked after by another database");
        }
        work->store = foreign::open_store(handle, handle.owner);
      });
      if (failure) {
        fail(*work, as_error(*failure));
      } else {
        work->stage = Stage::fetching;
      }
    }
  });
}

// Everything that needs no transaction.
void Finalizer::advance(Work& work) {
  if (work.stage == Stage::fetching && !work.raw) fetch(work);
  if (work.stage == Stage::fetching && work.exchange_done) {
    work.exchange_done = false;
    try {
      work.exchange.take();
      work.stage = Stage::awaiting_decoder;
    } catch (const Error& error) {
      fail(work, error);
    }
  }
  if (work.stage == Stage::awaiting_decoder && !free_decoders_.empty()) decode(work);
  if (work.stage == Stage::decoding && work.decoder->step()) finish_decoding(work);
  if (work.stage == Stage::putting && work.exchange_done) {
    work.exchange_done = false;
    try {
      work.exchange.take();
      work.stage = Stage::awaiting_settlement;
    } catch (const Error& error) {
      fail(work, error);
    }
  }
}

void Finalizer::fetch(Work& work) {
  try {
    work.raw.emplace(kTemporaryFiles);
  } catch (const Error& error) {
    fail(work, error);
    return;
  }
  work.exchange = fetch_into(work.store, work.job.raw_key, *work.raw);
  work.exchange.start([&work] { work.exchange_done = true; });
}

void Finalizer::decode(Work& work) {
  try {
    work.final.emplace(kTemporaryFiles);
    work.decoder = free_decoders_.back();
    free_decoders_.pop_back();
    std::uint64_t const size = work.raw->size();
    work.decoder->start(request_for(work.job, size), work.raw->fd(), work.final->fd(), decoder_limits(size));
    work.stage = Stage::decoding;
  } catch (const Error& error) {
    release_decoder(work);
    fail(work, error);
  }
}

void Finalizer::release_decoder(Work& work) {
  if (work.decoder == nullptr) return;
  free_decoders_.push_back(work.decoder);
  work.decoder = nullptr;
}

void Finalizer::finish_decoding(Work& work) {
  try {
    work.reply = work.decoder->take();
    work.raw.reset();
    work.stage = Stage::awaiting_judgement;
  } catch (const Error& error) {
    fail(work, error);
  }
  release_decoder(work);
}

void Finalizer::put(Work& work) {
  std::uint64_t const size = work.reply.output_size;
  work.stage = Stage::putting;
  work.exchange = put_and_look(work.store, work.job.final_key, store::Body(work.final->fd(), size), size);
  work.exchange.start([&work] { work.exchange_done = true; });
}

// All that are ready share one transaction; what fails in one of them is undone for that one alone.
void Finalizer::judge_and_settle() {
  bool const any = std::any_of(works_.begin(), works_.end(), [](Work const& work) {
    return work.error || work.stage == Stage::awaiting_judgement || work.stage == Stage::awaiting_settlement;
  });
  if (!any) return;
  std::vector<Work*> judged;
  std::vector<std::list<Work>::iterator> over;
  in_transaction(transactions_, [&] {
    for (auto work = works_.begin(); work != works_.end(); ++work) {
      if (!work->error && work->stage == Stage::awaiting_judgement) {
        judge(*work);
        if (!work->error) judged.push_back(&*work);
      } else if (work->error || work->stage == Stage::awaiting_settlement) {
        settle(*work);
        over.push_back(work);
      }
    }
  });
  // Only what is committed counts: after an error all of it is done again.
  for (auto const& work : over) finish(work);
  for (Work* work : judged) {
    if (work->judgement->passed) {
      put(*work);
    } else {
      work->stage = Stage::awaiting_settlement;
    }
  }
}

void Finalizer::finish(std::list<Work>::iterator work) {
  if (work->decoder != nullptr) work->decoder->cancel();
  release_decoder(*work);
  std::uint64_t const put = !work->error && work->judgement->passed ? work->reply.output_size : 0;
  finalized_.bytes += static_cast<std::int64_t>(put);
  finalized_.jobs += work->put_off ? 0 : 1;
  monitor::count({.done = work->error ? 0U : 1U, .failed = work->error ? 1U : 0U, .bytes = put});
  works_.erase(work);
  not_before_ = TimePoint{};
}

void Finalizer::judge(Work& work) {
  auto const failure = pg::attempt([&] {
    work.judgement = judge_figures(work.reply, work.job.target_lufs);
    if (work.judgement->passed) intend_to_write(work.job, kIntentLasts);
  });
  if (failure) fail(work, as_error(*failure));
}

// A job that cannot be settled (its lease is lost, its row refuses the change) is failed; if even that is refused,
// somebody else has it.
void Finalizer::settle(Work& work) {
  if (!work.error) {
    auto const failure = pg::attempt([&] {
      std::optional<std::uint64_t> final_size;
      if (work.judgement->passed) final_size = work.reply.output_size;
      finish_job(work.job, worker_, *work.judgement, final_size);
    });
    if (!failure) return;
    fail(work, as_error(*failure));
  }
  std::string const& detail = work.error->detail();
  std::string const why = work.error->message() + (detail.empty() ? "" : ": " + detail);
  auto const refused = pg::attempt([&] {
    if (work.put_off) {
      put_off_job(work.job, worker_, why);
    } else {
      fail_job(work.job, worker_, why, !lasting(work.error->kind()));
    }
  });
  if (refused) monitor::note_error(refused->message);
}

// A store that is out of order is not the job's fault: that attempt does not count.
void Finalizer::fail(Work& work, Error error) {
  monitor::note_error(error.message());
  work.put_off = concerns_whole_store(error.kind());
  work.error = std::move(error);
}

void Finalizer::put_off(Work& work, Error error) {
  work.put_off = true;
  work.error = std::move(error);
  gave_up_waiting_ = true;
}

void Finalizer::extend(TimePoint now) {
  bool const due =
      std::any_of(works_.begin(), works_.end(), [&](Work const& work) { return work.leased_until - now < kLease / 2; });
  if (!due) return;
  in_transaction(transactions_, [&] {
    for (Work& work : works_) {
      auto const failure = pg::attempt([&] { extend_claim(work.job, worker_, kLease); });
      if (failure) fail(work, as_error(*failure));
      work.leased_until = now + kLease;
    }
  });
}

void Finalizer::stop() {
  for (Work const& work : works_) {
    if (work.decoder != nullptr) work.decoder->cancel();
  }
  std::list<Work> const works = std::move(works_);
  works_.clear();
  free_decoders_.clear();
  for (auto const& decoder : decoders_) free_decoders_.push_back(decoder.get());
  in_transaction(transactions_, [&] {
    for (Work const& work : works) {
      auto const failure = pg::attempt([&] { give_back(work.job, worker_); });
      if (failure) monitor::note_error(failure->message);
    }
  });
}

Finalized finalize_now() {
  pg::ProcedureTransactions transactions;
  Finalizer finalizer(transactions, Finalizer::Patience::none);
  try {
    for (;;) {
      TimePoint const next = finalizer.step(clock_now());
      if (finalizer.idle()) return finalizer.finalized();
      auto const pause = std::chrono::duration_cast<Milliseconds>(next - clock_now());
      bool const woken = pg::prepare_wait();
      std::vector<int> fds{pg::wake_fd()};
      finalizer.add_wait_fds(fds);
      foreign::client().poll(woken ? Milliseconds(0) : std::clamp(pause, Milliseconds(0), Milliseconds(100)), fds);
      pg::after_wait();
    }
  } catch (...) {
    transactions.abort();
    finalizer.stop();
    throw;
  }
}

}  // namespace audiostore::mastering
