// An HTTP server on 127.0.0.1 that says what a test tells it to, misbehaviour included. A thread per
// connection; handlers run on those threads.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace audiostore::test {

struct SeenRequest {
  std::string method;
  std::string target;                          // path and query as sent
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body{};
  int connection = 0;

  std::string path() const { return target.substr(0, target.find('?')); }
  std::string query() const { return target.find('?') == std::string::npos ? "" : target.substr(target.find('?') + 1); }
};

struct Reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::optional<std::string> raw{};  // these octets instead of status, headers and body
  bool declare_length = true;
  std::optional<std::size_t> cut_at{};  // only so many octets of the body, then close
  std::chrono::milliseconds delay{0};   // before the first octet
  std::chrono::milliseconds drip{0};    // between single octets of the body
  bool hang = false;                    // never answer
  bool close = false;                   // close the connection after the reply
  bool reset = false;                   // RST instead of whatever remains to be said
};

class ScriptedServer {
 public:
  using Handler = std::function<Reply(const SeenRequest&)>;

  ScriptedServer();
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }

  // The next replies, in this order; when they are used up the handler answers (200 with an empty body).
  void then(Reply reply);
  void otherwise(Handler handler);

  std::vector<SeenRequest> requests() const;
  std::size_t request_count() const;
  int connections() const { return connections_; }
  // Closes every connection that waits for its next request, without the client being told before it writes.
  void drop_connections();

 private:
  void accept_loop();
  void serve(int fd, int connection);
  std::optional<SeenRequest> read_request(int fd, std::string& buffer);
  bool answer(int fd, const SeenRequest& request);
  bool pause(std::chrono::milliseconds time);
  bool say(int fd, const std::string& octets) const;

  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::condition_variable stopping_changed_;
  bool stopping_ = false;
  std::deque<Reply> replies_;
  Handler handler_;
  std::vector<SeenRequest> seen_;
  std::set<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace audiostore::test
