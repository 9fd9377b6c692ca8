#include "http/scripted_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace audiostore::test {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

void reset_connection(int fd) {
  const linger hard{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

}  // namespace

ScriptedServer::ScriptedServer() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || bind(listener_, generic, length) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, generic, &length) != 0) {
    throw std::runtime_error("could not open a listening socket");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

ScriptedServer::~ScriptedServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  stopping_changed_.notify_all();
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  close(listener_);
}

void ScriptedServer::then(Reply reply) {
  const std::lock_guard lock(mutex_);
  replies_.push_back(std::move(reply));
}

void ScriptedServer::otherwise(Handler handler) {
  const std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

std::vector<SeenRequest> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

std::size_t ScriptedServer::request_count() const {
  const std::lock_guard lock(mutex_);
  return seen_.size();
}

void ScriptedServer::drop_connections() {
  const std::lock_guard lock(mutex_);
  for (const int fd : open_) shutdown(fd, SHUT_RDWR);
}

void ScriptedServer::accept_loop() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopping_ || fd < 0) {
      if (fd >= 0) close(fd);
      return;
    }
    open_.insert(fd);
    const int connection = ++connections_;
    threads_.emplace_back([this, fd, connection] { serve(fd, connection); });
  }
}

void ScriptedServer::serve(int fd, int connection) {
  std::string buffer;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  while (auto request = read_request(fd, buffer)) {
    request->connection = connection;
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(*request);
    }
    if (!answer(fd, *request)) break;
  }
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
  close(fd);
}

std::optional<SeenRequest> ScriptedServer::read_request(int fd, std::string& buffer) {
  const auto more = [&] {
    char chunk[65536];
    const ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got > 0) buffer.append(chunk, static_cast<std::size_t>(got));
    return got > 0;
  };
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return std::nullopt;
  }
  SeenRequest request;
  std::string head = buffer.substr(0, end + 2);
  buffer.erase(0, end + 4);
  std::size_t at = head.find("\r\n");
  const std::string line = head.substr(0, at);
  request.method = line.substr(0, line.find(' '));
  request.target = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
  for (at += 2; at < head.size();) {
    const std::size_t stop = head.find("\r\n", at);
    const std::string header = head.substr(at, stop - at);
    const std::size_t colon = header.find(':');
    const std::size_t value = header.find_first_not_of(' ', colon + 1);
    request.headers[lower(header.substr(0, colon))] = value == std::string::npos ? "" : header.substr(value);
    at = stop + 2;
  }
  const auto length = request.headers.find("content-length");
  const std::size_t wanted = length == request.headers.end() ? 0 : std::stoul(length->second);
  while (buffer.size() < wanted) {
    if (!more()) return std::nullopt;
  }
  request.body = buffer.substr(0, wanted);
  buffer.erase(0, wanted);
  return request;
}

// False once the test is over.
bool ScriptedServer::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stopping_changed_.wait_for(lock, time, [this] { return stopping_; });
}

bool ScriptedServer::say(int fd, const std::string& octets) const {
  for (std::size_t at = 0; at < octets.size();) {
    const ssize_t sent = send(fd, octets.data() + at, octets.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += static_cast<std::size_t>(sent);
  }
  return true;
}

bool ScriptedServer::answer(int fd, const SeenRequest& request) {
  Reply reply;
  Handler handler;
  {
    const std::lock_guard lock(mutex_);
    if (!replies_.empty()) {
      reply = std::move(replies_.front());
      replies_.pop_front();
    } else {
      handler = handler_;
    }
  }
  if (handler) reply = handler(request);
  if (reply.hang) {
    pause(std::chrono::hours{1});
    return false;
  }
  if (reply.delay.count() > 0 && !pause(reply.delay)) return false;
  if (reply.raw) {
    say(fd, *reply.raw);
    if (reply.reset) reset_connection(fd);
    return !reply.close && !reply.reset;
  }
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Reason\r\n";
  for (const auto& [name, value] : reply.headers) head.append(name).append(": ").append(value).append("\r\n");
  if (reply.declare_length && reply.status != 204)
    head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  head += "\r\n";
  if (reply.reset && !reply.cut_at) {
    reset_connection(fd);
    return false;
  }
  std::string body = request.method == "HEAD" ? "" : reply.body;
  if (reply.cut_at) body = body.substr(0, *reply.cut_at);
  if (reply.drip.count() == 0) {
    if (!say(fd, head + body)) return false;
  } else {
    if (!say(fd, head)) return false;
    for (const char c : body) {
      if (!pause(reply.drip) || !say(fd, std::string(1, c))) return false;
    }
  }
  if (reply.reset) {
    pause(std::chrono::milliseconds{50});  // so that the client reads what was sent before the RST drops it
    reset_connection(fd);
  }
  return !reply.close && !reply.reset && !reply.cut_at;
}

}  // namespace audiostore::test
