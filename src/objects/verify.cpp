// verify_store: does to a probe object all that this extension will ever do to an object, and says for each call
// whether the store let it. The probe goes in the end, whatever happened in between.
#include "base/encoding.hpp"
#include "objects/target.hpp"
#include "pg/result_set.hpp"

namespace audiostore::objects {
namespace {

constexpr std::string_view kProbe = "audiostore verify_store probe\n";
constexpr std::chrono::seconds kCleanUpTime{10};

std::string random_name() {
  SystemRandom random;
  std::uint64_t const bits[2] = {random.bits(), random.bits()};
  return hex({reinterpret_cast<const char*>(bits), sizeof bits});
}

// Without interrupts and without errors: it also runs while an error, a cancel for example, is on its way.
void remove_quietly(store::Store& store, const std::vector<std::string>& keys) noexcept {
  try {
    auto task = store.remove(keys);
    task.start();
    auto const deadline = std::chrono::steady_clock::now() + kCleanUpTime;
    while (!task.done() && std::chrono::steady_clock::now() < deadline) {
      foreign::client().poll(std::chrono::milliseconds(100), -1);
    }
  } catch (const std::exception&) {
    return;  // the check "delete" has reported what there is to report
  }
}

class Verification {
 public:
  Verification(store::Store& store, pg::ResultSet& result)
      : store_(store), result_(result), key_(".audiostore-verify/" + random_name()), copy_(key_ + "-copy") {}

  void run() {
    try {
      run_checks();
    } catch (...) {
      remove_quietly(store_, {key_, copy_});
      throw;
    }
    if (!removed_) remove_quietly(store_, {key_, copy_});
  }

 private:
  void run_checks() {
    bool const there = check("put", [&] { return put(); });
    dependent("head", there, [&] { return head(); });
    dependent("get", there, [&] { return get({}); });
    dependent("get range", there, [&] { return get({.start = 11, .length = 6}); });
    dependent("list", there, [&] { return list(); });
    dependent("copy", there, [&] { return copy(); });
    dependent("signed url", there, [&] { return signed_url(); });
    removed_ = check("delete", [&] { return remove(); });
  }

  template <class F>
  bool check(const char* name, F&& body) {
    try {
      report(name, {BoolGetDatum(true), false}, body());
      return true;
    } catch (const Error& error) {
      bool const supported = error.kind() != ErrorKind::unsupported;
      std::string const detail = error.detail().empty() ? error.message() : error.message() + ": " + error.detail();
      report(name, {BoolGetDatum(false), !supported}, detail);
      return false;
    }
  }

  template <class F>
  void dependent(const char* name, bool there, F&& body) {
    if (there) {
      check(name, body);
    } else {
      report(name, {Datum{0}, true}, "not tried: there is no probe");
    }
  }

  void report(const char* name, NullableDatum ok, std::string_view detail) {
    result_.add({NullableDatum{pg::varlena_datum(name), false}, ok, pg::text_or_null(printable(detail, 1000))});
  }

  [[noreturn]] static void throw_wrong(std::string what) { throw Error(ErrorKind::bad_reply, std::move(what)); }

  std::string put() {
    foreign::run(store_.put(key_, kProbe, {.content_type = "text/plain", .metadata = {}, .storage_class = {}}));
    return std::to_string(kProbe.size()) + " bytes";
  }

  std::string head() {
    auto const info = foreign::run(store_.head(key_));
    if (!info) throw_wrong("the probe is not there");
    if (info->size != kProbe.size()) throw_wrong("the probe has " + std::to_string(info->size) + " bytes");
    return "storage class " + (info->storage_class.empty() ? std::string("unknown") : info->storage_class);
  }

  std::string get(store::Range range) {
    std::string got;
    foreign::run(store_.get(key_, range, [&](BytesView piece) { got.append(piece.substr(0, kProbe.size() + 1)); }));
    std::string_view const wanted = kProbe.substr(range.start, range.length.value_or(kProbe.size()));
    if (got != wanted) throw_wrong("the bytes that came back are not those that were put");
    return std::to_string(got.size()) + " bytes";
  }

  std::string list() {
    auto const page = foreign::run(store_.list({.prefix = key_, .after = {}, .limit = 10}));
    for (auto const& object : page.objects) {
      if (object.key == key_) return "the probe is listed";
    }
    throw_wrong("the probe is not listed");
  }

  std::string copy() {
    foreign::run(store_.copy(key_, store_, copy_));
    auto const info = foreign::run(store_.head(copy_));
    if (!info || info->size != kProbe.size()) throw_wrong("the copy is not there");
    return "server-side";
  }

  std::string signed_url() {
    std::string const url = store_.signed_url({.method = "GET",
                                               .key = key_,
                                               .expires_in = std::chrono::seconds(60),
                                               .headers = {},
                                               .query = {},
                                               .at = SystemClock().now()});
    http::Request request;
    request.url = url;
    auto const response = foreign::run(foreign::client().send(std::move(request)));
    if (!response.ok()) throw_wrong("a GET of the URL answers with status " + std::to_string(response.status));
    if (response.body != kProbe) throw_wrong("a GET of the URL answers with other bytes");
    return "fetched";
  }

  std::string remove() {
    auto const outcomes = foreign::run(store_.remove({key_, copy_}));
    for (auto const& outcome : outcomes) {
      if (outcome.error) throw Error(*outcome.error);
    }
    if (foreign::run(store_.head(key_))) throw_wrong("the probe is still there");
    return "the probe is gone";
  }

  store::Store& store_;
  pg::ResultSet& result_;
  std::string key_;
  std::string copy_;
  bool removed_ = false;
};

Datum verify_store(FunctionCallInfo info) {
  Target const target = find_target(pg::Arguments(info), 0);
  pg::ResultSet result(info);
  Verification(target.store(), result).run();
  return Datum{0};
}

}  // namespace
}  // namespace audiostore::objects

AUDIOSTORE_FUNCTION(verify_store, audiostore::objects::verify_store)
