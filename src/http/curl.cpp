// The client over libcurl's multi interface; the only file that includes libcurl.
//
// An Exchange lives in the frame of send()'s coroutine and is its awaitable: it waits for a free connection,
// is on the wire, or has its reply. Its destructor takes it out wherever it is, which is how a destroyed task
// aborts its exchange. What would surprise you: tasks are resumed only between libcurl's calls, never from
// its callbacks, because a resumed task starts and destroys other exchanges.
#include <curl/curl.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/offload.hpp"
#include "http/client.hpp"

namespace audiostore::http {
namespace {

using SteadyClock = std::chrono::steady_clock;
using SteadyTime = SteadyClock::time_point;

constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxErrorBody = std::size_t{64} << 10;
constexpr std::size_t kLargeBody = std::size_t{64} << 10;
constexpr long kLargeUploadBuffer = 512L << 10;
constexpr std::chrono::milliseconds kConnectTimeout{10000};
// Disks take a few writes at a time well.
constexpr std::size_t kOffloadThreads = 4;

// libcurl starts its resolver thread with the mask of the thread that calls it. Signals that mean a fault of
// the code itself stay open.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, fault);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// "https://host:port" of an absolute URL.
std::string origin_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  return url.substr(0, url.find_first_of("/?", scheme + 3));
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_header_safe(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

struct HeaderList {
  curl_slist* first = nullptr;
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(first); }
  void add(const std::string& line) {
    curl_slist* const longer = curl_slist_append(first, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    first = longer;
  }
};

class CurlClient;

class Exchange {
 public:
  Exchange(CurlClient* client, Request* request) : client_(client), request_(request) {}
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> task);
  Response await_resume() {
    if (error_) std::rethrow_exception(error_);
    return std::move(response_);
  }

 private:
  friend class CurlClient;
  enum class State { idle, waiting, active, finished, orphaned };

  void configure();
  void set_headers();
  void set_method();
  std::size_t on_body(BytesView piece);
  std::size_t on_header(std::string_view line);
  void take_header(std::string_view line);
  void finish(CURLcode code);
  void check_reply() const;
  Error transport_error(CURLcode code) const;
  bool wants_idle_deadline() const { return static_cast<bool>(request_->sink); }

  // Runs inside a libcurl callback: an exception is kept for the task and libcurl told to stop.
  template <class F>
  std::size_t guarded(std::size_t size, F&& body) noexcept {
    try {
      body();
      return size;
    } catch (...) {
      error_ = std::current_exception();
      return size == 0 ? 1 : 0;
    }
  }

  template <class T>
  void set(CURLoption option, T value) {
    const CURLcode code = curl_easy_setopt(easy_, option, value);
    if (code != CURLE_OK) {
      throw Error(ErrorKind::internal, "could not set up an HTTP request", curl_easy_strerror(code));
    }
  }

  CurlClient* client_;
  Request* request_;
  State state_ = State::idle;
  std::list<Exchange*>::iterator place_;  // in the client's list of that state
  std::coroutine_handle<> task_;
  std::string origin_;
  CURL* easy_ = nullptr;
  HeaderList headers_;
  std::array<char, CURL_ERROR_SIZE> curl_message_{};
  Response response_;
  std::size_t header_bytes_ = 0;
  bool body_started_ = false;
  std::optional<std::uint64_t> declared_length_;
  bool chunked_ = false;
  std::uint64_t received_ = 0;
  SteadyTime last_byte_;
  std::exception_ptr error_;
};

class CurlClient final : public Client {
 public:
  explicit CurlClient(ClientLimits limits);
  ~CurlClient() override;
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  Task<Response> send(Request request) override {
    Exchange exchange(this, &request);
    co_return co_await exchange;
  }
  Task<void> pause(std::chrono::milliseconds delay) override;
  Task<void> offload(std::function<void()> work) override { return offload_.run(std::move(work)); }
  void poll(std::chrono::milliseconds timeout, std::span<const int> wake_fds) override;
  std::size_t in_flight() const override {
    return waiting_.size() + active_.size() + finished_.size() + pauses_.size() + offload_.in_flight();
  }

 private:
  friend class Exchange;
  struct Pause;
  using Pauses = std::multimap<SteadyTime, Pause*>;

  void enqueue(Exchange& exchange);
  void detach(Exchange& exchange);
  void launch_waiting();
  void launch(Exchange& exchange);
  void move(Exchange& exchange, std::list<Exchange*>& to, Exchange::State state);
  std::list<Exchange*>& list_of(Exchange::State state);
  CURL* take_handle();
  void give_back(Exchange& exchange);
  void perform();
  void expire_idle();
  bool resume_ready();
  bool step();
  std::chrono::milliseconds until_next_deadline(std::chrono::milliseconds longest) const;

  ClientLimits limits_;
  CURLM* multi_;
  std::vector<CURL*> idle_handles_;
  std::list<Exchange*> waiting_, active_, finished_;
  std::unordered_map<std::string, std::size_t> active_per_origin_;
  Pauses pauses_;
  Offload offload_{kOffloadThreads};
};

struct CurlClient::Pause {
  CurlClient* client = nullptr;
  SteadyTime until{};
  Pauses::iterator place{};
  bool pending = false;
  std::coroutine_handle<> task{};

  ~Pause() {
    if (pending) client->pauses_.erase(place);
  }
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting_task) {
    task = waiting_task;
    place = client->pauses_.emplace(until, this);
    pending = true;
  }
  static void await_resume() noexcept {}
};

// --- one exchange ---------------------------------------------------------------------------------------

Exchange::~Exchange() {
  if (state_ != State::idle && state_ != State::orphaned) client_->detach(*this);
}

void Exchange::await_suspend(std::coroutine_handle<> task) {
  task_ = task;
  origin_ = origin_of(request_->url);
  client_->enqueue(*this);
}

void Exchange::configure() {
  if (!request_->url.starts_with("https://") && !request_->url.starts_with("http://")) {
    throw Error(ErrorKind::invalid_argument, "URL \"" + printable(origin_, 100) + "\" is neither https nor http");
  }
  curl_easy_reset(easy_);
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_URL, request_->url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
  // An aborted exchange must not wait for its resolver thread.
  set(CURLOPT_QUICK_EXIT, 1L);
#endif
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!request_->ca_file.empty()) {
    set(CURLOPT_CAINFO, request_->ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_USERAGENT, "audiostore");
  set(CURLOPT_ERRORBUFFER, curl_message_.data());
  const auto timeout = std::max(request_->timeout, std::chrono::milliseconds{1});
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(timeout, kConnectTimeout).count()));
  if (!wants_idle_deadline()) set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  using Callback = std::size_t (*)(char*, std::size_t, std::size_t, void*);
  set<Callback>(CURLOPT_WRITEFUNCTION, [](char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Exchange*>(self)->on_body({data, size * count});
  });
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set<Callback>(CURLOPT_HEADERFUNCTION, [](char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Exchange*>(self)->on_header({data, size * count});
  });
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set_method();
  set_headers();
}

void Exchange::set_method() {
  const BytesView payload = request_->payload();
  switch (request_->method) {
    case Method::get: set(CURLOPT_HTTPGET, 1L); return;
    case Method::head: set(CURLOPT_NOBODY, 1L); return;
    case Method::del:
      if (payload.empty()) {
        set(CURLOPT_HTTPGET, 1L);
        set(CURLOPT_CUSTOMREQUEST, "DELETE");
        return;
      }
      break;
    case Method::put:
    case Method::post: break;
  }
  // The body goes out from where it lies. POSTFIELDS rather than a read callback also for PUT: libcurl then
  // repeats it by itself when a kept connection turns out to be dead, and sends small ones with the headers.
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(payload.size()));
  set(CURLOPT_POSTFIELDS, payload.empty() ? "" : payload.data());
  set(CURLOPT_CUSTOMREQUEST, std::string(method_name(request_->method)).c_str());
  if (payload.size() > kLargeBody) set(CURLOPT_UPLOAD_BUFFERSIZE, kLargeUploadBuffer);
}

void Exchange::set_headers() {
  bool has_content_type = false;
  for (const Header& header : request_->headers) {
    if (header.name.empty() || header.name.find_first_of(": \t") != std::string::npos || !is_header_safe(header.name) ||
        !is_header_safe(header.value)) {
      throw Error(ErrorKind::invalid_argument, "invalid HTTP header \"" + printable(header.name, 100) + "\"");
    }
    const std::string_view value = trim(header.value);
    headers_.add(value.empty() ? header.name + ";" : header.name + ": " + std::string(value));
  }
  has_content_type = find(request_->headers, "content-type").has_value();
  // libcurl's own would be application/x-www-form-urlencoded, with which some servers store nothing.
  if (!has_content_type) {
    headers_.add(request_->payload().empty() ? "Content-Type:" : "Content-Type: application/octet-stream");
  }
  headers_.add("Expect:");
  headers_.add("Accept:");
  set(CURLOPT_HTTPHEADER, headers_.first);
}

std::size_t Exchange::on_header(std::string_view line) {
  return guarded(line.size(), [&] { take_header(line); });
}

void Exchange::take_header(std::string_view line) {
  last_byte_ = SteadyClock::now();
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    throw Error(ErrorKind::bad_reply, "reply of \"" + origin_ + "\" has more than 64 kB of headers");
  }
  if (body_started_) return;  // trailers
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    // The final reply, or another one after a 1xx.
    response_ = {};
    declared_length_.reset();
    chunked_ = false;
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  Header header{std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1)))};
  const Headers one{header};
  if (find(one, "content-length")) {
    const bool digits = !header.value.empty() && header.value.size() <= 18 &&
                        header.value.find_first_not_of("0123456789") == std::string::npos;
    const std::uint64_t length = digits ? std::stoull(header.value) : 0;
    if (!digits || (declared_length_ && *declared_length_ != length)) {
      throw Error(ErrorKind::bad_reply, "reply of \"" + origin_ + "\" has no clear Content-Length");
    }
    declared_length_ = length;
  }
  if (find(one, "transfer-encoding")) chunked_ = true;
  response_.headers.push_back(std::move(header));
}

std::size_t Exchange::on_body(BytesView piece) {
  return guarded(piece.size(), [&] {
    last_byte_ = SteadyClock::now();
    if (!std::exchange(body_started_, true) && response_.ok() && request_->inspect) request_->inspect(response_);
    received_ += piece.size();
    if (!response_.ok()) {
      const std::size_t room = kMaxErrorBody - std::min(kMaxErrorBody, response_.body.size());
      response_.body.append(piece.substr(0, room));
    } else if (request_->sink) {
      request_->sink(piece);
    } else if (received_ > request_->max_body || declared_length_.value_or(0) > request_->max_body) {
      throw Error(ErrorKind::too_large, "reply of \"" + origin_ + "\" is too large",
                  "It has more than " + std::to_string(request_->max_body) + " bytes.");
    } else {
      if (response_.body.empty() && declared_length_) response_.body.reserve(*declared_length_);
      response_.body.append(piece);
    }
  });
}

// A body whose end is only marked by the end of the connection may have been cut short by anybody.
void Exchange::check_reply() const {
  const bool declared = declared_length_ || chunked_;
  const bool expects_body = request_->method != Method::head && response_.ok() && response_.status != 204;
  if (expects_body && !declared) {
    throw Error(ErrorKind::bad_reply, "reply of \"" + origin_ + "\" does not declare its length");
  }
  if (declared_length_ && chunked_) {
    throw Error(ErrorKind::bad_reply, "reply of \"" + origin_ + "\" declares its length in two ways");
  }
}

void Exchange::finish(CURLcode code) {
  if (error_) return;
  try {
    if (code != CURLE_OK) throw transport_error(code);
    check_reply();
  } catch (...) {
    error_ = std::current_exception();
  }
}

Error Exchange::transport_error(CURLcode code) const {
  const std::string server = "\"" + printable(origin_, 300) + "\"";
  const std::string detail = curl_message_[0] != '\0' ? curl_message_.data() : curl_easy_strerror(code);
  long sent = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &sent);
  switch (code) {
    case CURLE_URL_MALFORMAT: return {ErrorKind::invalid_argument, "malformed URL for server " + server, detail};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {ErrorKind::unavailable, "could not find the address of server " + server, detail};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {ErrorKind::unavailable, "could not verify the certificate of server " + server, detail,
              "A certificate authority of your own can be named in the option ca_file."};
    case CURLE_SSL_CACERT_BADFILE:
      return {ErrorKind::unavailable, "could not load the certificate authorities for server " + server, detail,
              "Check the option ca_file."};
    case CURLE_OPERATION_TIMEDOUT:
      if (sent > 0) return {ErrorKind::timeout, "timeout while waiting for server " + server, detail};
      return {ErrorKind::unavailable, "timeout while connecting to server " + server, detail};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return {ErrorKind::bad_reply, "server " + server + " sent an invalid reply", detail};
    case CURLE_OUT_OF_MEMORY: return {ErrorKind::internal, "out of memory in an HTTP request to server " + server};
    default:
      if (sent == 0) return {ErrorKind::unavailable, "could not connect to server " + server, detail};
      return {ErrorKind::interrupted, "connection to server " + server + " was lost", detail};
  }
}

// --- the client -----------------------------------------------------------------------------------------

CurlClient::CurlClient(ClientLimits limits) : limits_(limits) {
  static std::once_flag once;
  static CURLcode initialised = CURLE_FAILED_INIT;
  const SignalsBlocked blocked;
  std::call_once(once, [] { initialised = curl_global_init(CURL_GLOBAL_DEFAULT); });
  multi_ = initialised == CURLE_OK ? curl_multi_init() : nullptr;
  if (multi_ == nullptr) throw Error(ErrorKind::internal, "could not initialise libcurl");
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(limits_.connections));
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
}

CurlClient::~CurlClient() {
  const SignalsBlocked blocked;
  for (std::list<Exchange*>* list : {&waiting_, &active_, &finished_}) {
    for (Exchange* exchange : *list) {
      if (exchange->easy_ != nullptr) {
        curl_multi_remove_handle(multi_, exchange->easy_);
        curl_easy_cleanup(exchange->easy_);
        exchange->easy_ = nullptr;
      }
      exchange->state_ = Exchange::State::orphaned;
    }
  }
  for (auto& [until, pause] : pauses_) pause->pending = false;
  for (CURL* handle : idle_handles_) curl_easy_cleanup(handle);
  curl_multi_cleanup(multi_);
}

Task<void> CurlClient::pause(std::chrono::milliseconds delay) {
  Pause pause{this, SteadyClock::now() + delay};
  co_await pause;
}

std::list<Exchange*>& CurlClient::list_of(Exchange::State state) {
  if (state == Exchange::State::waiting) return waiting_;
  return state == Exchange::State::active ? active_ : finished_;
}

void CurlClient::move(Exchange& exchange, std::list<Exchange*>& to, Exchange::State state) {
  to.splice(to.end(), list_of(exchange.state_), exchange.place_);
  exchange.state_ = state;
}

void CurlClient::enqueue(Exchange& exchange) {
  exchange.place_ = waiting_.insert(waiting_.end(), &exchange);
  exchange.state_ = Exchange::State::waiting;
  launch_waiting();
}

// First come, first served, but a busy host does not hold up the others.
void CurlClient::launch_waiting() {
  for (auto it = waiting_.begin(); it != waiting_.end() && active_.size() < limits_.connections;) {
    Exchange& exchange = **it++;
    const auto busy = active_per_origin_.find(exchange.origin_);
    if (busy == active_per_origin_.end() || busy->second < limits_.connections_per_host) launch(exchange);
  }
}

void CurlClient::launch(Exchange& exchange) {
  try {
    exchange.easy_ = take_handle();
    exchange.configure();
    const SignalsBlocked blocked;
    if (const CURLMcode code = curl_multi_add_handle(multi_, exchange.easy_); code != CURLM_OK) {
      throw Error(ErrorKind::internal, "could not start an HTTP request", curl_multi_strerror(code));
    }
    exchange.last_byte_ = SteadyClock::now();
    ++active_per_origin_[exchange.origin_];
    move(exchange, active_, Exchange::State::active);
  } catch (...) {
    exchange.error_ = std::current_exception();
    if (exchange.easy_ != nullptr) idle_handles_.push_back(std::exchange(exchange.easy_, nullptr));
    move(exchange, finished_, Exchange::State::finished);
  }
}

CURL* CurlClient::take_handle() {
  if (!idle_handles_.empty()) {
    CURL* const handle = idle_handles_.back();
    idle_handles_.pop_back();
    return handle;
  }
  CURL* const handle = curl_easy_init();
  if (handle == nullptr) throw std::bad_alloc();
  return handle;
}

// Takes the handle off the multi handle; an exchange that is not complete loses its connection by this.
void CurlClient::give_back(Exchange& exchange) {
  {
    const SignalsBlocked blocked;
    curl_multi_remove_handle(multi_, exchange.easy_);
  }
  curl_easy_reset(exchange.easy_);
  idle_handles_.push_back(std::exchange(exchange.easy_, nullptr));
  const auto count = active_per_origin_.find(exchange.origin_);
  if (count != active_per_origin_.end() && --count->second == 0) active_per_origin_.erase(count);
}

void CurlClient::detach(Exchange& exchange) {
  const bool was_active = exchange.state_ == Exchange::State::active;
  if (was_active) give_back(exchange);
  list_of(exchange.state_).erase(exchange.place_);
  exchange.state_ = Exchange::State::idle;
  if (was_active) launch_waiting();
}

void CurlClient::perform() {
  {
    const SignalsBlocked blocked;
    int running = 0;
    if (const CURLMcode code = curl_multi_perform(multi_, &running); code != CURLM_OK) {
      throw Error(ErrorKind::internal, "could not move HTTP requests on", curl_multi_strerror(code));
    }
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* self = nullptr;
    const CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &self);
    Exchange& exchange = *static_cast<Exchange*>(self);
    exchange.finish(code);
    give_back(exchange);
    move(exchange, finished_, Exchange::State::finished);
  }
  expire_idle();
  launch_waiting();
}

void CurlClient::expire_idle() {
  const SteadyTime now = SteadyClock::now();
  for (auto it = active_.begin(); it != active_.end();) {
    Exchange& exchange = **it++;
    if (!exchange.wants_idle_deadline() || now - exchange.last_byte_ < exchange.request_->timeout) continue;
    exchange.finish(CURLE_OPERATION_TIMEDOUT);
    give_back(exchange);
    move(exchange, finished_, Exchange::State::finished);
  }
}

// A resumed task may end any other exchange or pause, so each round looks at the front again. Those that
// become ready meanwhile wait for the next round: a task that starts many failing exchanges must not keep
// poll() from returning.
bool CurlClient::resume_ready() {
  bool any = false;
  for (std::size_t budget = finished_.size(); budget > 0 && !finished_.empty(); --budget) {
    Exchange& exchange = *finished_.front();
    finished_.pop_front();
    exchange.state_ = Exchange::State::idle;
    any = true;
    exchange.task_.resume();
  }
  const SteadyTime now = SteadyClock::now();
  while (!pauses_.empty() && pauses_.begin()->first <= now) {
    Pause& pause = *pauses_.begin()->second;
    pauses_.erase(pauses_.begin());
    pause.pending = false;
    any = true;
    pause.task.resume();
  }
  return offload_.resume_done() || any;
}

bool CurlClient::step() {
  perform();
  if (!resume_ready()) return false;
  perform();  // what the resumed tasks asked for goes out now, not with the caller's next poll
  return true;
}

std::chrono::milliseconds CurlClient::until_next_deadline(std::chrono::milliseconds longest) const {
  if (!finished_.empty()) return std::chrono::milliseconds{0};
  const SteadyTime now = SteadyClock::now();
  SteadyTime next = now + longest;
  if (!pauses_.empty()) next = std::min(next, pauses_.begin()->first);
  for (const Exchange* exchange : active_) {
    if (exchange->wants_idle_deadline()) next = std::min(next, exchange->last_byte_ + exchange->request_->timeout);
  }
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(next - now), std::chrono::milliseconds{0});
}

void CurlClient::poll(std::chrono::milliseconds timeout, std::span<const int> wake_fds) {
  if (step()) return;
  std::vector<curl_waitfd> wake;
  wake.reserve(wake_fds.size() + 1);
  for (const int fd : wake_fds) wake.push_back({.fd = fd, .events = CURL_WAIT_POLLIN, .revents = 0});
  if (offload_.in_flight() > 0) wake.push_back({.fd = offload_.fd(), .events = CURL_WAIT_POLLIN, .revents = 0});
  const auto wait = until_next_deadline(timeout);
  curl_multi_poll(multi_, wake.data(), static_cast<unsigned>(wake.size()), static_cast<int>(wait.count()), nullptr);
  step();
}

}  // namespace

std::unique_ptr<Client> make_curl_client(ClientLimits limits) { return std::make_unique<CurlClient>(limits); }

}  // namespace audiostore::http
