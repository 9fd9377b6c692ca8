// The client of the cache's measurements: closed loops of one prepared statement on N connections in N threads, with
// binary parameters and results; against Redis likewise, one request on its way for each of N connections in N threads.
// Prints operations per second, then the 50th, 99th, 99.9th and 100th percentile of the times in milliseconds, and how
// many results had no value. Keys are md5(i) || md5(i) for i from 1 to KEYS, computed beforehand.
//
//   cache get CLIENTS SECONDS KEYS SQL       $1: a random one of the keys
//   cache redis CLIENTS SECONDS KEYS PORT    GET of a random one of the keys from the Redis there
//   cache redis_load KEYS PORT SQL           SET of all keys; of the N values the query gives, key i has number i % N
//   cache put CLIENTS SECONDS BYTES SQL      $1: a fresh key, $2: so many random bytes
//   cache zipf CLIENTS LOOKUPS KEYS BYTES    audiostore.cache_get(), and cache_put() after a miss: Zipf(0.99) keys;
//                                            prints the hit ratio and that of an exact LRU of a tenth of the keys
//   cache churn CLIENTS SECONDS BYTES RATE   cache_put() with times to live from 1 s to 30 days; RATE puts per second
//                                            and client, 0: as many as there can be
//
// WARM in the environment: seconds before the measured ones, for what a fresh connection does once.
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(PGconn* connection) {
  std::fprintf(stderr, "cache: %s", PQerrorMessage(connection));
  std::exit(1);
}

std::string md5_hex(const std::string& text) {
  unsigned char digest[16];
  if (EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_md5(), nullptr) != 1) std::exit(1);
  char hex[33];
  for (int i = 0; i < 16; i++) std::snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  return hex;
}

std::vector<std::string> all_keys(long count) {
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(count));
  for (long i = 1; i <= count; i++) {
    std::string const digest = md5_hex(std::to_string(i));
    keys.push_back(digest + digest);
  }
  return keys;
}

class Statement {
 public:
  Statement(const char* sql, std::vector<Oid> types) {
    connection_ = PQconnectdb("sslmode=disable");
    if (PQstatus(connection_) != CONNECTION_OK) fail(connection_);
    PGresult* const result = PQprepare(connection_, "s", sql, static_cast<int>(types.size()), types.data());
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(connection_);
    PQclear(result);
  }
  ~Statement() { PQfinish(connection_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Whether there is a row with a value.
  bool run(const std::vector<std::string>& parameters) {
    const char* values[4];
    int lengths[4];
    int formats[4];
    for (std::size_t i = 0; i < parameters.size(); i++) {
      values[i] = parameters[i].data();
      lengths[i] = static_cast<int>(parameters[i].size());
      formats[i] = i == 1 ? 1 : 0;
    }
    PGresult* const result =
        PQexecPrepared(connection_, "s", static_cast<int>(parameters.size()), values, lengths, formats, 1);
    auto const status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail(connection_);
    bool const found = PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0;
    PQclear(result);
    return found;
  }

 private:
  PGconn* connection_;
};

class Redis {
 public:
  explicit Redis(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail();
    int const on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  ~Redis() { close(socket_); }
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  // Whether there is a value; it is copied out of the buffer, as libpq does with a row.
  bool get(const std::string& key) {
    send_all("*2\r\n$3\r\nGET\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n");
    std::size_t const head = line();
    long const size = std::strtol(input_.data() + 1, nullptr, 10);
    if (input_[0] != '$') fail();
    if (size < 0) {
      input_.clear();
      return false;
    }
    std::size_t const end = head + static_cast<std::size_t>(size) + 2;
    while (input_.size() < end) receive();
    value_.assign(input_, head, static_cast<std::size_t>(size));
    input_.clear();
    return true;
  }

  void set(const std::string& key, const std::string& value) {
    send_all("*3\r\n$3\r\nSET\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n$" +
             std::to_string(value.size()) + "\r\n" + value + "\r\n");
    line();
    if (input_[0] != '+') fail();
    input_.clear();
  }

 private:
  [[noreturn]] static void fail() {
    std::fprintf(stderr, "cache: Redis does not answer as expected\n");
    std::exit(1);
  }
  void send_all(const std::string& request) const {
    for (std::size_t sent = 0; sent < request.size();) {
      ssize_t const n = send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) fail();
      sent += static_cast<std::size_t>(n);
    }
  }
  void receive() {
    constexpr std::size_t kRoom = 32768;
    std::size_t const before = input_.size();
    input_.resize(before + kRoom);
    ssize_t const n = recv(socket_, input_.data() + before, kRoom, 0);
    if (n <= 0) fail();
    input_.resize(before + static_cast<std::size_t>(n));
  }
  // Where what follows the first line begins.
  std::size_t line() {
    std::size_t end = 0;
    while ((end = input_.find("\r\n")) == std::string::npos) receive();
    return end + 2;
  }

  int socket_;
  std::string input_, value_;
};

struct Outcome {
  std::vector<float> milliseconds;
  long missing = 0;
};

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size + 8, '\0');
  for (std::size_t i = 0; i < size; i += 8) {
    std::uint64_t const word = random();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  bytes.resize(size);
  return bytes;
}

std::string fresh_key(std::mt19937_64& random) {
  char key[65];
  for (int i = 0; i < 4; i++) std::snprintf(key + 16 * i, 17, "%016lx", static_cast<unsigned long>(random()));
  return key;
}

template <class Step>
void measure(int clients, double seconds, Step step) {
  std::vector<Outcome> outcomes(static_cast<std::size_t>(clients));
  std::vector<std::thread> threads;
  char const* const warm = std::getenv("WARM");
  auto const first = Clock::now() + std::chrono::duration<double>(warm == nullptr ? 0 : std::atof(warm));
  auto const end = first + std::chrono::duration<double>(seconds);
  for (int i = 0; i < clients; i++) {
    threads.emplace_back([&, i] {
      Outcome& outcome = outcomes[static_cast<std::size_t>(i)];
      step(i, [&](auto&& once) {
        while (Clock::now() < end) {
          auto const begin = Clock::now();
          bool const found = once();
          if (begin < first) continue;
          if (!found) outcome.missing++;
          outcome.milliseconds.push_back(std::chrono::duration<float, std::milli>(Clock::now() - begin).count());
        }
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<float> all;
  long missing = 0;
  for (Outcome const& outcome : outcomes) {
    all.insert(all.end(), outcome.milliseconds.begin(), outcome.milliseconds.end());
    missing += outcome.missing;
  }
  std::sort(all.begin(), all.end());
  auto const at = [&](double part) {
    return all.empty()
               ? 0
               : all[std::min(all.size() - 1, static_cast<std::size_t>(part * static_cast<double>(all.size())))];
  };
  std::printf("%.0f %.3f %.3f %.3f %.3f %ld\n", static_cast<double>(all.size()) / seconds, at(0.5), at(0.99), at(0.999),
              at(1), missing);
}

void get(int clients, double seconds, long count, const char* sql) {
  std::vector<std::string> const keys = all_keys(count);
  measure(clients, seconds, [&](int client, auto&& loop) {
    Statement statement(sql, {25});
    std::mt19937_64 random(std::random_device{}() + static_cast<unsigned>(client));
    loop([&] { return statement.run({keys[random() % keys.size()]}); });
  });
}

void redis(int clients, double seconds, long count, int port) {
  std::vector<std::string> const keys = all_keys(count);
  measure(clients, seconds, [&](int client, auto&& loop) {
    Redis server(port);
    std::mt19937_64 random(std::random_device{}() + static_cast<unsigned>(client));
    loop([&] { return server.get(keys[random() % keys.size()]); });
  });
}

void redis_load(long count, int port, const char* sql) {
  PGconn* const connection = PQconnectdb("");
  if (PQstatus(connection) != CONNECTION_OK) fail(connection);
  PGresult* const values = PQexecParams(connection, sql, 0, nullptr, nullptr, nullptr, nullptr, 1);
  if (PQresultStatus(values) != PGRES_TUPLES_OK || PQntuples(values) == 0) fail(connection);
  Redis server(port);
  long i = 0;
  for (std::string const& key : all_keys(count)) {
    int const row = static_cast<int>(++i % PQntuples(values));
    server.set(key, {PQgetvalue(values, row, 0), static_cast<std::size_t>(PQgetlength(values, row, 0))});
  }
  PQclear(values);
  PQfinish(connection);
}

void put(int clients, double seconds, std::size_t size, const char* sql) {
  measure(clients, seconds, [&](int, auto&& loop) {
    Statement statement(sql, {25, 17});
    std::mt19937_64 random(std::random_device{}());
    std::string bytes = random_bytes(random, size);
    loop([&] {
      bytes[random() % size]++;
      statement.run({fresh_key(random), bytes});
      return true;
    });
  });
}

void churn(int clients, double seconds, std::size_t size, double rate) {
  measure(clients, seconds, [&](int, auto&& loop) {
    Statement statement("SELECT audiostore.cache_put($1, $2, 2500, ttl => make_interval(secs => $3))", {25, 17, 701});
    std::mt19937_64 random(std::random_device{}());
    std::string bytes = random_bytes(random, size);
    std::uniform_real_distribution<double> exponent(0, std::log(30.0 * 86400));
    auto next = Clock::now();
    loop([&] {
      if (rate > 0) {
        std::this_thread::sleep_until(next);
        next += std::chrono::nanoseconds(static_cast<long>(1e9 / rate));
      }
      bytes[random() % size]++;
      return statement.run({fresh_key(random), bytes, std::to_string(std::exp(exponent(random)))});
    });
  });
}

class Zipf {
 public:
  explicit Zipf(long keys) : sums_(static_cast<std::size_t>(keys)) {
    double sum = 0;
    for (std::size_t i = 0; i < sums_.size(); i++) sums_[i] = sum += std::pow(static_cast<double>(i + 1), -0.99);
  }
  long operator()(std::mt19937_64& random) const {
    double const at = std::uniform_real_distribution<double>(0, sums_.back())(random);
    return std::lower_bound(sums_.begin(), sums_.end(), at) - sums_.begin() + 1;
  }

 private:
  std::vector<double> sums_;
};

class Lru {
 public:
  explicit Lru(std::size_t room) : room_(room) {}
  bool access(long key) {
    std::lock_guard const locked(mutex_);
    auto const found = places_.find(key);
    bool const hit = found != places_.end();
    if (hit) order_.erase(found->second);
    order_.push_front(key);
    places_[key] = order_.begin();
    if (places_.size() > room_) {
      places_.erase(order_.back());
      order_.pop_back();
    }
    return hit;
  }

 private:
  std::size_t room_;
  std::mutex mutex_;
  std::list<long> order_;
  std::unordered_map<long, std::list<long>::iterator> places_;
};

// The first third warms both caches up.
void zipf(int clients, long lookups, long keys, std::size_t size) {
  Zipf const draw(keys);
  Lru lru(static_cast<std::size_t>(keys / 10));
  std::vector<std::thread> threads;
  std::mutex mutex;
  long ours = 0, exact = 0, counted = 0;
  for (int i = 0; i < clients; i++) {
    threads.emplace_back([&, i] {
      Statement look("SELECT audiostore.cache_get($1)", {25});
      Statement store("SELECT audiostore.cache_put($1, $2, 2500, ttl => '1 day')", {25, 17});
      std::mt19937_64 random(static_cast<unsigned>(i) + 42U);
      std::string const bytes = random_bytes(random, size);
      long hits = 0, lru_hits = 0, all = 0;
      for (long n = 0; n < lookups / clients; n++) {
        long const key = draw(random);
        std::string const name = "zipf" + std::to_string(key);
        bool const hit = look.run({name});
        bool const lru_hit = lru.access(key);
        if (!hit) store.run({name, bytes});
        if (n < lookups / clients / 3) continue;
        hits += hit ? 1 : 0;
        lru_hits += lru_hit ? 1 : 0;
        all++;
      }
      std::lock_guard const locked(mutex);
      ours += hits;
      exact += lru_hits;
      counted += all;
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%.5f %.5f\n", static_cast<double>(ours) / static_cast<double>(counted),
              static_cast<double>(exact) / static_cast<double>(counted));
}

}  // namespace

int main(int count, char** arguments) {
  std::string what = count > 1 ? arguments[1] : "";
  if (count != (what == "redis_load" ? 5 : 6)) what.clear();
  int const clients = count > 2 ? std::atoi(arguments[2]) : 0;
  if (what == "get") {
    get(clients, std::atof(arguments[3]), std::atol(arguments[4]), arguments[5]);
  } else if (what == "redis") {
    redis(clients, std::atof(arguments[3]), std::atol(arguments[4]), std::atoi(arguments[5]));
  } else if (what == "redis_load") {
    redis_load(std::atol(arguments[2]), std::atoi(arguments[3]), arguments[4]);
  } else if (what == "put") {
    put(clients, std::atof(arguments[3]), std::strtoul(arguments[4], nullptr, 10), arguments[5]);
  } else if (what == "zipf") {
    zipf(clients, std::atol(arguments[3]), std::atol(arguments[4]), std::strtoul(arguments[5], nullptr, 10));
  } else if (what == "churn") {
    churn(clients, std::atof(arguments[3]), std::strtoul(arguments[4], nullptr, 10), std::atof(arguments[5]));
  } else {
    std::fprintf(stderr, "usage: see the top of bench/cache.cpp\n");
    return 2;
  }
  return 0;
}
