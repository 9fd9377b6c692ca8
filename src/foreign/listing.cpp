#include "foreign/listing.hpp"

#include "pg/background.hpp"
#include "pg/datum.hpp"
#include "pg/time.hpp"

namespace audiostore::foreign {
namespace {

constexpr NullableDatum kNull{Datum{0}, true};

NullableDatum size_value(std::uint64_t size) {
  if (size > static_cast<std::uint64_t>(INT64_MAX)) return kNull;
  return {Int64GetDatum(static_cast<std::int64_t>(size)), false};
}

NullableDatum time_value(TimePoint time) {
  if (time == TimePoint{}) return kNull;
  TimestampTz const value = pg::to_timestamptz(time);
  return IS_VALID_TIMESTAMP(value) ? NullableDatum{TimestampTzGetDatum(value), false} : kNull;
}

}  // namespace

NullableDatum text_value(std::string_view text) {
  return text.empty() || !pg::valid_text(text) ? kNull : NullableDatum{pg::varlena_datum(text), false};
}

std::array<NullableDatum, kFields> values_of(const store::ObjectInfo& object) {
  return {text_value(object.key), size_value(object.size), text_value(object.etag), time_value(object.last_modified),
          text_value(object.storage_class)};
}

Listing::Listing(std::shared_ptr<OpenStore> store, KeyRange range, std::size_t wanted)
    : store_(std::move(store)), range_(std::move(range)), wanted_(wanted) {
  rewind();
}

Listing::~Listing() = default;

void Listing::rewind() {
  position_ = 0;
  before_page_ = 0;
  if (!first_ && requests_ == 1) {
    ended_ = false;
    return;
  }
  ahead_.reset();
  page_ = {};
  first_ = true;
  ended_ = range_.empty();
  query_ = {.prefix = range_.prefix(),
            .after = range_.after(),
            .limit = wanted_ == 0 ? kPageKeys : std::min(wanted_, kPageKeys)};
  requests_ = 0;
}

Task<store::ListPage> Listing::ask() {
  requests_++;
  return store_->store->list(query_);
}

bool Listing::turn_page() {
  if (!first_ && !page_.more) return false;
  if (!first_) {
    before_page_ += page_.objects.size();
    query_.after = page_.resume;
    query_.limit = kPageKeys;
  }
  if (ahead_) {
    Task<store::ListPage> task = std::move(*ahead_);
    ahead_.reset();
    try {
      page_ = finish(task);
    } catch (const Error& error) {
      // A request that waited too long for us to look at it says nothing about the store: ask again.
      if (!transient(error.kind())) throw;
      page_ = run(ask());
    }
  } else {
    page_ = run(ask());
  }
  first_ = false;
  position_ = 0;
  return true;
}

// Once half of a page has been read, the reader probably wants the next one too.
void Listing::ask_ahead() {
  constexpr std::size_t kLookAfterKeys = 64;
  bool const enough = wanted_ != 0 && before_page_ + page_.objects.size() >= wanted_;
  if (!page_.more || enough || position_ < page_.objects.size() / 2) return;
  if (!ahead_) {
    query_.after = page_.resume;
    query_.limit = kPageKeys;
    ahead_ = ask();
    ahead_->start();
  } else if (position_ % kLookAfterKeys == 0 && !ahead_->done()) {
    client().poll(std::chrono::milliseconds(0), -1);
  }
}

const store::ObjectInfo* Listing::next() {
  while (!ended_) {
    if (position_ == page_.objects.size()) {
      pg::check_interrupts();
      if (!turn_page()) break;
      continue;
    }
    store::ObjectInfo const& object = page_.objects[position_++];
    ask_ahead();
    if (range_.ends_before(object.key)) break;
    if (!range_.contains(object.key)) continue;
    if (pg::valid_text(object.key)) return &object;
    unusable_keys_++;
  }
  if (!ended_) warn_of_unusable_keys();
  ended_ = true;
  return nullptr;
}

void Listing::warn_of_unusable_keys() {
  if (unusable_keys_ == 0) return;
  pg::log(pg::Level::warning,
          {.sqlstate = 0,
           .message = "store \"" + store_->config.name + "\" holds " + std::to_string(unusable_keys_) +
                      " objects whose keys cannot be shown",
           .detail = std::string("The keys are not valid in the encoding ") + GetDatabaseEncodingName() + ".",
           .hint = {}});
  unusable_keys_ = 0;
}

}  // namespace audiostore::foreign
