// An object store that answers at once and keeps nothing: what is left when the network and the store cost nothing.
// Single-threaded HTTP/1.1 with keep-alive on the loopback interface. It takes the S3 calls POST ?delete, PUT, GET,
// HEAD and DELETE, and counts the keys of batch deletes, so that a run can prove that every key arrived. A bucket whose
// name is `listed` and a number lists so many generated keys, listed/0000000000.opus and on; any other lists none.
//
//   stub PORT_FILE     listens on a free port and writes its number into PORT_FILE; ends with its parent
//
// Two requests are for the measurements themselves:
//   GET /-/reset         forgets all counts
//   GET /-/wait?keys=N   answers when N keys have arrived since then: "requests keys", and the clock at that moment
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::string_view_literals;

struct Counts {
  std::uint64_t requests = 0;
  std::uint64_t keys = 0;
  double last_key_at = 0;  // seconds since the epoch
};

struct Waiter {
  int socket;
  std::uint64_t keys;
};

Counts counts;
std::vector<Waiter> waiters;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

double now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Counts occurrences of a word in text that comes in pieces.
class WordCounter {
 public:
  std::uint64_t feed(std::string_view piece) {
    std::uint64_t found = 0;
    // A word that began in the last piece.
    std::string seam = tail_;
    seam.append(piece.substr(0, kWord.size() - 1));
    for (std::size_t at = 0; (at = seam.find(kWord, at)) != std::string::npos; at += kWord.size()) found++;
    for (std::size_t at = 0; (at = piece.find(kWord, at)) != std::string_view::npos; at += kWord.size()) found++;
    seam = tail_;
    seam.append(piece.size() >= kWord.size() ? piece.substr(piece.size() - kWord.size() + 1) : piece);
    tail_ = seam.substr(seam.size() - std::min(seam.size(), kWord.size() - 1));
    return found;
  }
  void reset() { tail_.clear(); }

 private:
  static constexpr std::string_view kWord = "<Key>";
  std::string tail_;
};

struct Connection {
  std::string input;  // of the request's head
  std::string method, target;
  std::uint64_t body_left = 0;
  bool in_body = false;
  WordCounter counter;
  std::string output;
  bool awaits_room = false;  // the socket takes no more for now
  bool last = false;         // nothing comes after this output
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string_view header(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos; line = head.find("\r\n", line + 2)) {
    std::string_view const rest = head.substr(line + 2);
    if (rest.size() <= name.size() || rest[name.size()] != ':') continue;
    if (lower(rest.substr(0, name.size())) != name) continue;
    std::string_view value = rest.substr(name.size() + 1, rest.find("\r\n") - name.size() - 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return value;
  }
  return {};
}

std::string reply(std::string_view status, std::string_view body, std::string_view more = {}) {
  std::string text = "HTTP/1.1 ";
  text.append(status).append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n");
  text.append(more).append("\r\n").append(body);
  return text;
}

std::string xml(std::string_view element, std::string_view content = {}) {
  std::string text = R"(<?xml version="1.0" encoding="UTF-8"?>)";
  text.append("<").append(element).append(R"( xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)").append(content);
  return text.append("</").append(element).append(">");
}

std::string generated_key(std::uint64_t number) {
  char key[32];
  std::snprintf(key, sizeof key, "listed/%010llu.opus", static_cast<unsigned long long>(number));
  return key;
}

// The value of a query's parameter, as it stands there.
std::string_view parameter(std::string_view target, std::string_view name) {
  std::size_t at = target.find(name);
  if (at == std::string_view::npos) return {};
  std::string_view const value = target.substr(at + name.size());
  return value.substr(0, value.find('&'));
}

std::string listing(std::string_view target) {
  constexpr std::uint64_t kPage = 1000;
  constexpr std::string_view kBucket = "/listed";
  constexpr std::string_view kBeforeNumber = "listed%2F";
  std::uint64_t const keys = std::strtoull(std::string(target.substr(kBucket.size(), 20)).c_str(), nullptr, 10);
  std::uint64_t first = 0;
  std::string_view const after = parameter(target, "start-after=");
  if (after.starts_with(kBeforeNumber)) {
    first = std::strtoull(std::string(after.substr(kBeforeNumber.size())).c_str(), nullptr, 10) + 1;
  }
  std::uint64_t const end = std::min(keys, first + kPage);
  std::string content = "<Name>listed</Name><Prefix></Prefix><EncodingType>url</EncodingType><MaxKeys>1000</MaxKeys>";
  content.append("<KeyCount>").append(std::to_string(end > first ? end - first : 0)).append("</KeyCount>");
  content.append("<IsTruncated>").append(end < keys ? "true" : "false").append("</IsTruncated>");
  for (std::uint64_t number = first; number < end; number++) {
    content.append("<Contents><Key>").append(generated_key(number));
    content.append(
        "</Key><LastModified>2024-05-06T07:08:09.000Z</LastModified>"
        "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>4096</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>");
  }
  return reply("200 OK", xml("ListBucketResult", content), "Content-Type: application/xml\r\n");
}

std::string counts_reply() {
  char line[128];
  std::snprintf(line, sizeof line, "%llu %llu %.6f\n", static_cast<unsigned long long>(counts.requests),
                static_cast<unsigned long long>(counts.keys), counts.last_key_at);
  return reply("200 OK", line, "Connection: close\r\n");
}

void answer_measurement(Connection& connection, int socket) {
  if (connection.target == "/-/reset") {
    counts = {};
  } else if (auto const at = connection.target.find("keys="); at != std::string::npos) {
    std::uint64_t const keys = std::strtoull(connection.target.c_str() + at + 5, nullptr, 10);
    if (counts.keys < keys) {
      waiters.push_back({socket, keys});
      return;
    }
  }
  connection.output += counts_reply();
  connection.last = true;
}

void answer(Connection& connection, int socket) {
  static std::string const deleted = reply("200 OK", xml("DeleteResult"), "Content-Type: application/xml\r\n");
  static std::string const no_uploads =
      reply("200 OK", xml("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>"),
            "Content-Type: application/xml\r\n");
  static std::string const listed =
      reply("200 OK", xml("ListBucketResult", "<KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>"),
            "Content-Type: application/xml\r\n");
  if (connection.target.starts_with("/-/")) {
    answer_measurement(connection, socket);
    return;
  }
  counts.requests++;
  std::string const& method = connection.method;
  if (method == "POST") {
    connection.output += deleted;
  } else if (method == "PUT") {
    connection.output += reply("200 OK", {}, "ETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n");
  } else if (method == "DELETE") {
    connection.output += "HTTP/1.1 204 No Content\r\n\r\n";
  } else if (method == "HEAD") {
    connection.output += "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \"0\"\r\n\r\n";
  } else if (connection.target.find("uploads=") != std::string::npos) {
    connection.output += no_uploads;
  } else if (connection.target.find("list-type") != std::string::npos) {
    connection.output += connection.target.starts_with("/listed") ? listing(connection.target) : listed;
  } else {
    connection.output += reply("200 OK", {}, "ETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n");
  }
}

// False: not a request that this server understands.
bool begin_request(Connection& connection, std::string_view head) {
  std::size_t const space = head.find(' ');
  std::size_t const second = head.find(' ', space + 1);
  if (space == std::string_view::npos || second == std::string_view::npos) return false;
  connection.method = head.substr(0, space);
  connection.target = head.substr(space + 1, second - space - 1);
  if (!header(head, "transfer-encoding").empty()) return false;
  connection.body_left = 0;
  std::string_view const length = header(head, "content-length");
  std::from_chars(length.data(), length.data() + length.size(), connection.body_left);
  if (!header(head, "expect").empty()) connection.output += "HTTP/1.1 100 Continue\r\n\r\n";
  connection.counter.reset();
  connection.in_body = true;
  return true;
}

void count_keys(Connection& connection, std::string_view piece) {
  if (connection.method != "POST") return;
  std::uint64_t const found = connection.counter.feed(piece);
  if (found == 0) return;
  counts.keys += found;
  counts.last_key_at = now();
}

bool take(Connection& connection, int socket, std::string_view data) {
  while (true) {
    if (connection.in_body) {
      std::size_t const size = std::min<std::uint64_t>(connection.body_left, data.size());
      count_keys(connection, data.substr(0, size));
      data.remove_prefix(size);
      connection.body_left -= size;
      if (connection.body_left > 0) return true;
      connection.in_body = false;
      answer(connection, socket);
    }
    if (data.empty()) return true;
    std::size_t const before = connection.input.size();
    connection.input.append(data);
    std::size_t const end = connection.input.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end == std::string::npos) return connection.input.size() < 65536;
    data.remove_prefix(end + 4 - before);
    bool const understood = begin_request(connection, std::string_view(connection.input).substr(0, end + 2));
    connection.input.clear();
    if (!understood) return false;
  }
}

class Server {
 public:
  Server() : poll_(epoll_create1(EPOLL_CLOEXEC)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
    if (listen(listener_, 1024) != 0) die("listen");
    watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
  }

  int port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  [[noreturn]] void run() {
    epoll_event events[64];
    while (true) {
      int const count = epoll_wait(poll_, events, 64, -1);
      for (int i = 0; i < count; i++) {
        int const socket = events[i].data.fd;
        if (socket == listener_) {
          accept_all();
        } else {
          serve(socket);
        }
      }
      release_waiters();
    }
  }

 private:
  void watch(int socket, std::uint32_t what, int operation) const {
    epoll_event event{};
    event.events = what;
    event.data.fd = socket;
    epoll_ctl(poll_, operation, socket, &event);
  }

  void accept_all() {
    int socket = -1;
    while ((socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
      int const on = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_[socket] = std::make_unique<Connection>();
      watch(socket, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  void drop(int socket) {
    std::erase_if(waiters, [socket](const Waiter& waiter) { return waiter.socket == socket; });
    connections_.erase(socket);
    close(socket);
  }

  void serve(int socket) {
    auto const found = connections_.find(socket);
    if (found == connections_.end()) return;
    Connection& connection = *found->second;
    while (true) {
      ssize_t const size = read(socket, buffer_, sizeof buffer_);
      if (size < 0 && errno == EAGAIN) break;
      if (size <= 0 || !take(connection, socket, {buffer_, static_cast<std::size_t>(size)})) {
        drop(socket);
        return;
      }
    }
    if (!send(connection, socket)) drop(socket);
  }

  // False: nothing more to send, now or ever.
  bool send(Connection& connection, int socket) {
    while (!connection.output.empty()) {
      ssize_t const size = write(socket, connection.output.data(), connection.output.size());
      if (size < 0) {
        if (errno != EAGAIN) return false;
        break;
      }
      connection.output.erase(0, static_cast<std::size_t>(size));
    }
    bool const full = !connection.output.empty();
    if (full != connection.awaits_room) watch(socket, full ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
    connection.awaits_room = full;
    return full || !connection.last;
  }

  void release_waiters() {
    for (std::size_t i = waiters.size(); i-- > 0;) {
      if (counts.keys < waiters[i].keys) continue;
      int const socket = waiters[i].socket;
      waiters.erase(waiters.begin() + static_cast<std::ptrdiff_t>(i));
      Connection& connection = *connections_[socket];
      connection.output += counts_reply();
      connection.last = true;
      if (!send(connection, socket)) drop(socket);
    }
  }

  int poll_;
  int listener_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  char buffer_[1 << 18];
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: stub PORT_FILE\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  static Server server;
  std::string const partial = std::string(arguments[1]) + ".new";
  std::FILE* file = std::fopen(partial.c_str(), "w");
  if (file == nullptr) die(arguments[1]);
  std::fprintf(file, "%d\n", server.port());
  std::fclose(file);
  // The whole number is there, or nothing.
  if (std::rename(partial.c_str(), arguments[1]) != 0) die(arguments[1]);
  server.run();
}
