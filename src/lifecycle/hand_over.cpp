#include "lifecycle/hand_over.hpp"

#include <algorithm>

#include "lifecycle/lead_over.hpp"
#include "outbox/receipts.hpp"
#include "pg/background.hpp"
#include "pg/interrupts.hpp"
#include "pg/own_transaction.hpp"
#include "pg/subtransaction.hpp"

namespace audiostore::lifecycle {
namespace {

constexpr std::size_t kAtOnce = 200;
// Operations that are cancelled, or given up, come without a word.
constexpr Milliseconds kSweep{60'000};

TimePoint clock_now() { return SystemClock().now(); }

}  // namespace

TimePoint HandOver::step(TimePoint now) {
  if (outbox::receipts_written() != receipts_) {
    receipts_ = outbox::receipts_written();
    next_find_ = now;
  }
  if (looks_.empty()) {
    if (now < next_find_) return next_find_;
    find(now);
  }
  for (Look& look : looks_) {
    if (!look.done && look.head.done()) take(look);
    if (!look.done) return now + kSweep;
  }
  if (looks_.empty()) return next_find_;
  finish();
  next_find_ = now;
  return now;
}

void HandOver::find(TimePoint now) {
  std::vector<Move> moves;
  std::optional<double> retry_in;
  pg::in_own_transaction(transactions_, "audiostore moves", [&] {
    if (now >= next_sweep_) {
      ended_ += static_cast<std::int64_t>(end_cancelled() + end_pointless());
      next_sweep_ = now + kSweep;
    }
    moves = find_done(kAtOnce);
    if (moves.empty()) retry_in = seconds_until_retry();
    // Stores are opened with their owner's rights; the policy's are looked at when it queues and when it leads over.
    for (Move& move : moves) look(std::move(move));
  });
  nothing_done_ = looks_.empty();
  double const longest = std::chrono::duration<double>(kSweep).count();
  double const pause = std::clamp(retry_in.value_or(longest), 0.01, longest);
  next_find_ = now + std::chrono::ceil<Milliseconds>(std::chrono::duration<double>(pause));
  for (Look& look : looks_) {
    if (look.done) continue;
    look.head = look.store->store->head(look.move.key);
    look.head.start();
  }
}

void HandOver::look(Move move) {
  Look& look = looks_.emplace_back();
  look.move = std::move(move);
  // What has changed its class is where it was, and whoever writes it again writes it there.
  look.same = look.done = !look.move.elsewhere();
  if (look.done) return;
  auto const failure = pg::attempt([&] {
    foreign::StoreHandle const handle = foreign::find_store(look.move.store);
    look.store = foreign::open_store(handle, handle.owner);
  });
  if (!failure) return;
  look.done = true;
  look.error = failure->message;
}

void HandOver::take(Look& look) {
  try {
    std::optional<store::ObjectInfo> const source = look.head.take();
    // Where the source is gone already, the copy is all there is.
    look.same = !source || look.move.etag.empty() || source->etag == look.move.etag;
  } catch (const Error& error) {
    look.error = error.message();
  }
  look.done = true;
}

void HandOver::finish() {
  std::vector<std::int64_t> ids;
  for (Look const& look : looks_) ids.push_back(look.move.id);
  std::int64_t ended = 0;
  pg::in_own_transaction(transactions_, "audiostore moves", [&] {
    std::vector<Move> same;
    std::vector<Move> written;
    for (Move& move : lock_done(ids)) {
      auto const look =
          std::find_if(looks_.begin(), looks_.end(), [&](Look const& one) { return one.move.id == move.id; });
      if (!look->error.empty()) {
        put_off(move, look->error);
      } else {
        (look->same ? same : written).push_back(std::move(move));
      }
    }
    end_moves(written);
    ended = lead_over(same) + static_cast<std::int64_t>(written.size());
  });
  ended_ += ended;
  looks_.clear();
}

std::int64_t hand_over_now() {
  pg::ProcedureTransactions transactions;
  HandOver hand_over(transactions);
  try {
    for (;;) {
      hand_over.step(clock_now());
      if (hand_over.idle()) return hand_over.ended();
      bool const woken = pg::prepare_wait();
      foreign::client().poll(woken || !hand_over.busy() ? Milliseconds(0) : Milliseconds(100), pg::wake_fd());
      pg::after_wait();
    }
  } catch (...) {
    transactions.abort();
    hand_over.stop();
    throw;
  }
}

}  // namespace audiostore::lifecycle
