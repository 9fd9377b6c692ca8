#include "mastering/finalizer.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "mastering/decoder_process.hpp"
#include "monitor/progress.hpp"
#include "pg/interrupts.hpp"
#include "pg/own_transaction.hpp"
#include "pg/settings.hpp"

namespace audiostore::mastering {
namespace {

constexpr Milliseconds kLease{120'000};
// While decoders are busy, the next jobs' audio may come, and the last ones' may go.
constexpr std::size_t kAhead = 8;
// Jobs come with a wake; this is for those that wait for their time, or whose claimant died.
constexpr Milliseconds kLookForJobs{2'000};
// Wakes and replies that concern other tasks come thick and fast: no look follows another sooner than this.
constexpr Milliseconds kBetweenLooks{50};
constexpr Milliseconds kLookForRaw{100};
// Some 40 hours in stereo at 48 kHz and 24 bits.
constexpr std::uint64_t kMostFinalBytes = std::uint64_t{40} << 30;
// Below the data directory, where this process is.
constexpr const char* kTemporaryFiles = "base/pgsql_tmp";

TimePoint clock_now() { return SystemClock().now(); }

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

std::string sha256_of(const Spool& spool) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  std::uint64_t const size = spool.size();
  store::Body const body(spool.fd(), size);
  Sha256 digest;
  Bytes buffer;
  for (std::uint64_t at = 0; at < size; at += kPiece) digest.update(body.read(at, std::min(kPiece, size - at), buffer));
  return hex(view(digest.finish()));
}

Task<void> fetch_into(std::shared_ptr<foreign::OpenStore> store, std::string key, Spool& spool, std::string& hash) {
  store::Sink const sink = [&](BytesView piece) { spool.append(piece); };
  auto get = store->store->get(std::move(key), store::Range{}, sink);
  co_await get;
  std::function<void()> const work = [&] { hash = sha256_of(spool); };
  auto hashing = foreign::client().offload(work);
  co_await hashing;
}

struct Files {
  Spool raw;
  Spool final;
};

// The object is there, whole, before any row may name it.
Task<void> put_and_look(std::shared_ptr<foreign::OpenStore> store, std::string key, Files files, std::uint64_t size) {
  store::PutOptions options;
  options.content_type = "audio/wav";
  store::Body const body(files.final.fd(), size);
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
  // Giving back the pages of unlinked files takes its time, too.
  std::function<void()> const work = [&files] { Files const done(std::move(files)); };
  auto closing = foreign::client().offload(work);
  co_await closing;
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
    : transactions_(transactions), patience_(patience), worker_(worker_name()) {}

Finalizer::~Finalizer() = default;

void Finalizer::recover() {
  pg::in_own_transaction(transactions_, "audiostore mastering", [] { end_leases_of_the_dead(); });
}

TimePoint Finalizer::step(TimePoint now) {
  for (Work& work : works_) advance(work);
  settle_finished();
  extend(now);
  look_for_raw(now);
  claim(now);
  // What was claimed just now can start.
  for (Work& work : works_) advance(work);
  tell_progress();
  return next_time(now);
}

void Finalizer::tell_progress() {
  if (works_.empty()) {
    progress_.end();
    return;
  }
  if (!progress_) {
    progress_ = monitor::Running("mastering", {});
    finalized_before_ = finalized_.jobs;
  }
  progress_.done(finalized_.jobs - finalized_before_);
}

TimePoint Finalizer::next_time(TimePoint now) const {
  TimePoint next = look_wanted_ ? not_before_ : now + kLookForJobs;
  for (Work const& work : works_) {
    if (work.error || work.exchange_done || work.stage == Stage::awaiting_settlement) return now;
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
    decoders_.push_back(std::make_unique<sandbox::Decoder>(program_directory()));
    free_decoders_.push_back(decoders_.back().get());
  }
  std::size_t const room = workers == 0 ? 0 : workers + kAhead - std::min(works_.size(), workers + kAhead);
  look_wanted_ = room > 0 && !gave_up_waiting_;
  if (!look_wanted_ || now < not_before_) return;
  std::vector<Work> begun;
  std::size_t claimed = 0;
  pg::in_own_transaction(transactions_, "audiostore mastering", [&] {
    std::vector<FinalizeJob> const jobs = claim_jobs(worker_, kLease, static_cast<int>(room));
    claimed = jobs.size();
    for (FinalizeJob const& job : jobs) begin(job, now, begun);
  });
  finalized_.jobs += static_cast<std::int64_t>(claimed - begun.size());
  nothing_due_ = claimed == 0;
  look_wanted_ = claimed == room;
  not_before_ = look_wanted_ ? now : now + kBetweenLooks;
  for (Work& work : begun) works_.push_back(std::move(work));
  look_for_raw(now);
}

// Inside the claiming transaction.
void Finalizer::begin(const FinalizeJob& job, TimePoint now, std::vector<Work>& begun) {
  Work work;
  work.job = job;
  work.leased_until = now + kLease;
  std::optional<Asset> asset;
  auto const failure = pg::attempt([&] { asset = begin_job(job, worker_); });
  if (failure) {
    fail(work, as_error(*failure));
  } else if (!asset) {
    return;
  } else {
    work.asset = *std::move(asset);
  }
  begun.push_back(std::move(work));
}

void Finalizer::look_for_raw(TimePoint now) {
  std::vector<Work*> waiting;
  for (Work& work : works_) {
    if (!work.error && work.stage == Stage::awaiting_put && work.look_at_put <= now) waiting.push_back(&work);
  }
  if (waiting.empty()) return;
  pg::in_own_transaction(transactions_, "audiostore mastering", [&] {
    for (Work* work : waiting) {
      work->look_at_put = now + kLookForRaw;
      if (!raw_is_stored(work->asset)) {
        // Nobody may be there to store it.
        if (patience_ == Patience::none) {
          fail(*work, Error(ErrorKind::unavailable, "its raw audio is not stored yet"));
          gave_up_waiting_ = true;
        }
        continue;
      }
      auto const failure = pg::attempt([&] {
        foreign::StoreHandle const handle = foreign::find_store(work->asset.store);
        if (!foreign::claimed_here(handle)) {
          throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                             "store \"" + handle.name + "\" is looked after by another database",
                             "This database was restored or cloned from it.",
                             "If this database takes over, run SELECT audiostore.claim_store('" + handle.name + "').");
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
  if (work.error) return;
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
  if (!work.error && work.stage == Stage::awaiting_decoder && !free_decoders_.empty()) decode(work);
  if (!work.error && work.stage == Stage::decoding && work.decoder->step()) finish_decoding(work);
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
  work.exchange = fetch_into(work.store, work.asset.raw_key, *work.raw, work.raw_sha256);
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
    put(work);
  } catch (const Error& error) {
    fail(work, error);
  }
  release_decoder(work);
}

void Finalizer::put(Work& work) {
  std::uint64_t const size = work.reply.output_size;
  work.stage = Stage::putting;
  work.exchange = put_and_look(work.store, work.asset.final_key,
                               Files{.raw = *std::move(work.raw), .final = *std::move(work.final)}, size);
  work.exchange.start([&work] { work.exchange_done = true; });
}

// All that are ready share one transaction; what fails in one of them is undone for that one alone.
void Finalizer::settle_finished() {
  std::vector<std::list<Work>::iterator> over;
  for (auto work = works_.begin(); work != works_.end(); ++work) {
    if (work->error || work->stage == Stage::awaiting_settlement) over.push_back(work);
  }
  if (over.empty()) return;
  pg::in_own_transaction(transactions_, "audiostore mastering", [&] {
    for (auto const& work : over) settle(*work);
  });
  // Only what is committed counts: after an error all of it is done again.
  for (auto const& work : over) finish(work);
}

void Finalizer::finish(std::list<Work>::iterator work) {
  if (work->decoder != nullptr) work->decoder->cancel();
  release_decoder(*work);
  std::uint64_t const put = work->error ? 0 : work->reply.output_size;
  finalized_.bytes += static_cast<std::int64_t>(put);
  finalized_.jobs += work->put_off ? 0 : 1;
  monitor::count({.done = work->error ? 0U : 1U, .failed = work->error ? 1U : 0U, .bytes = put});
  works_.erase(work);
  not_before_ = TimePoint{};
}

// A job that cannot be settled (its lease is lost, its row refuses the change) is failed; if even that is refused,
// somebody else has it.
void Finalizer::settle(Work& work) {
  if (!work.error) {
    auto const failure =
        pg::attempt([&] { finish_job(work.job, worker_, {.reply = work.reply, .raw_sha256 = work.raw_sha256}); });
    if (!failure) return;
    fail(work, as_error(*failure));
  }
  std::string const& detail = work.error->detail();
  std::string const why = work.error->message() + (detail.empty() ? "" : ": " + detail);
  auto const refused = pg::attempt([&] {
    if (work.put_off) {
      mastering::put_off(work.job, worker_, why);
    } else {
      mastering::fail_job(work.job, worker_, why, !lasting(work.error->kind()));
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

void Finalizer::extend(TimePoint now) {
  bool const due =
      std::any_of(works_.begin(), works_.end(), [&](Work const& work) { return work.leased_until - now < kLease / 2; });
  if (!due) return;
  pg::in_own_transaction(transactions_, "audiostore mastering", [&] {
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
  pg::in_own_transaction(transactions_, "audiostore mastering", [&] {
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
    finalizer.recover();
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
