#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "base/error.hpp"
#include "base/gather.hpp"
#include "http/client.hpp"
#include "http/scripted_server.hpp"

namespace audiostore::http {
namespace {

using namespace std::chrono_literals;
using test::Reply;
using test::ScriptedServer;
using test::SeenRequest;

class CurlClientTest : public testing::Test {
 protected:
  CurlClientTest() : client_(make_curl_client({4, 8})) { std::signal(SIGPIPE, SIG_IGN); }

  Request get(const std::string& path = "/x") {
    Request request;
    request.url = server_.url() + path;
    request.timeout = 5s;
    return request;
  }
  Response run(Request request) {
    return http::run(*client_, client_->send(std::move(request)), -1, [] {});
  }
  ErrorKind failure(Request request) {
    try {
      const Response response = run(std::move(request));
      ADD_FAILURE() << "status " << response.status;
    } catch (const Error& error) {
      detail_ = error.message() + " / " + error.detail();
      return error.kind();
    }
    return ErrorKind::internal;
  }

  ScriptedServer server_;
  std::unique_ptr<Client> client_;
  std::string detail_;
};

TEST_F(CurlClientTest, ReturnsStatusHeadersAndBody) {
  server_.then({.status = 200, .headers = {{"X-Thing", " padded  "}, {"ETag", "\"abc\""}}, .body = "hello"});
  const Response response = run(get("/a//b/../c%2F?x=%20&y"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(find(response.headers, "x-thing"), "padded");
  EXPECT_EQ(find(response.headers, "etag"), "\"abc\"");
  const SeenRequest seen = server_.requests().at(0);
  EXPECT_EQ(seen.target, "/a//b/../c%2F?x=%20&y");
  EXPECT_EQ(seen.method, "GET");
  EXPECT_EQ(seen.headers.at("host"), "127.0.0.1:" + std::to_string(server_.port()));
}

TEST_F(CurlClientTest, ErrorStatusesAreReplies) {
  for (const int status : {400, 403, 404, 500, 503}) {
    server_.then({.status = status, .body = "<Error/>"});
    const Response response = run(get());
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.body, "<Error/>");
  }
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(CurlClientTest, SendsEachMethodWithItsBody) {
  for (const Method method : {Method::put, Method::post, Method::del, Method::head, Method::get}) {
    Request request = get();
    request.method = method;
    const bool has_body = method == Method::put || method == Method::post;
    if (has_body) request.body = "body";
    run(std::move(request));
    const SeenRequest seen = server_.requests().back();
    EXPECT_EQ(seen.method, method_name(method));
    EXPECT_EQ(seen.body, has_body ? "body" : "");
    EXPECT_FALSE(seen.headers.contains("expect"));
    EXPECT_EQ(seen.headers.contains("content-type"), has_body);
    if (has_body) {
      EXPECT_EQ(seen.headers.at("content-type"), "application/octet-stream");
    }
  }
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(CurlClientTest, EmptyPutDeclaresItsLength) {
  Request request = get();
  request.method = Method::put;
  run(std::move(request));
  EXPECT_EQ(server_.requests().back().headers.at("content-length"), "0");
}

TEST_F(CurlClientTest, SendsLargeBodiesFromWhereTheyLie) {
  std::string large(20 << 20, 'a');
  for (std::size_t i = 0; i < large.size(); i += 1000) large[i] = static_cast<char>(i / 1000);
  Request request = get();
  request.method = Method::put;
  request.body_view = large;
  request.headers.push_back({"content-type", "audio/wav"});
  run(std::move(request));
  EXPECT_TRUE(server_.requests().back().body == large);
  EXPECT_EQ(server_.requests().back().headers.at("content-type"), "audio/wav");
}

TEST_F(CurlClientTest, HeadersWithLineBreaksAreRefused) {
  Request request = get();
  request.headers.push_back({"x-a", "b\r\nx-injected: 1"});
  EXPECT_EQ(failure(std::move(request)), ErrorKind::invalid_argument);
  EXPECT_EQ(server_.request_count(), 0U);
}

TEST_F(CurlClientTest, EmptyHeaderValuesAreSent) {
  Request request = get();
  request.headers.push_back({"x-empty", ""});
  run(std::move(request));
  EXPECT_EQ(server_.requests().back().headers.at("x-empty"), "");
}

TEST_F(CurlClientTest, RedirectsAreNotFollowed) {
  server_.then({.status = 302, .headers = {{"Location", server_.url() + "/elsewhere"}}});
  EXPECT_EQ(run(get()).status, 302);
  EXPECT_EQ(server_.request_count(), 1U);
}

TEST_F(CurlClientTest, OtherSchemesAreRefused) {
  Request request;
  request.url = "file:///etc/passwd";
  EXPECT_EQ(failure(std::move(request)), ErrorKind::invalid_argument);
}

TEST_F(CurlClientTest, RefusedConnectionIsUnavailable) {
  Request request;
  {
    ScriptedServer gone;
    request.url = gone.url() + "/x";
  }
  EXPECT_EQ(failure(std::move(request)), ErrorKind::unavailable);
}

TEST_F(CurlClientTest, UnknownHostIsUnavailable) {
  Request request;
  request.url = "http://no-such-host.invalid/x";
  request.timeout = 5s;
  EXPECT_EQ(failure(std::move(request)), ErrorKind::unavailable);
}

TEST_F(CurlClientTest, TlsToAPlainServerIsUnavailable) {
  Request request;
  request.url = "https://127.0.0.1:" + std::to_string(server_.port()) + "/x";
  request.timeout = 2s;
  server_.otherwise([](const SeenRequest&) { return Reply{.raw = "HTTP/1.1 400 Bad\r\n\r\n", .close = true}; });
  EXPECT_EQ(failure(std::move(request)), ErrorKind::unavailable) << detail_;
}

TEST_F(CurlClientTest, SilenceIsATimeout) {
  server_.then({.hang = true});
  Request request = get();
  request.timeout = 200ms;
  EXPECT_EQ(failure(std::move(request)), ErrorKind::timeout);
}

TEST_F(CurlClientTest, SlowDripIsATimeoutOfTheWhole) {
  server_.then({.body = std::string(1000, 'x'), .drip = 20ms});
  Request request = get();
  request.timeout = 300ms;
  EXPECT_EQ(failure(std::move(request)), ErrorKind::timeout);
}

TEST_F(CurlClientTest, WithASinkTheTimeoutIsForEachSilence) {
  server_.then({.body = std::string(20, 'x'), .drip = 30ms});
  Request request = get();
  request.timeout = 400ms;  // less than the whole takes
  std::string received;
  request.sink = [&](BytesView piece) { received += piece; };
  EXPECT_EQ(run(std::move(request)).status, 200);
  EXPECT_EQ(received, std::string(20, 'x'));

  server_.then({.body = "xy", .drip = 2000ms});
  request = get();
  request.timeout = 200ms;
  request.sink = [](BytesView) {};
  EXPECT_EQ(failure(std::move(request)), ErrorKind::timeout);
}

TEST_F(CurlClientTest, ResetBeforeTheReplyIsInterrupted) {
  server_.otherwise([](const SeenRequest&) { return Reply{.reset = true}; });
  EXPECT_EQ(failure(get()), ErrorKind::interrupted);
}

TEST_F(CurlClientTest, ResetInTheBodyIsInterrupted) {
  server_.then({.body = std::string(1000, 'x'), .cut_at = 10, .reset = true});
  EXPECT_EQ(failure(get()), ErrorKind::interrupted);
}

TEST_F(CurlClientTest, ShortBodyIsInterrupted) {
  server_.then({.body = std::string(1000, 'x'), .cut_at = 10});
  EXPECT_EQ(failure(get()), ErrorKind::interrupted);
}

TEST_F(CurlClientTest, ClosedWithoutAReplyIsInterrupted) {
  server_.otherwise([](const SeenRequest&) { return Reply{.raw = "", .close = true}; });
  EXPECT_EQ(failure(get()), ErrorKind::interrupted);
}

TEST_F(CurlClientTest, GarbageIsABadReply) {
  server_.then({.raw = "\x16\x03 this is not HTTP\r\n\r\n", .close = true});
  EXPECT_EQ(failure(get()), ErrorKind::bad_reply);
}

TEST_F(CurlClientTest, UndeclaredLengthIsABadReply) {
  server_.then({.body = "cut short?", .declare_length = false, .close = true});
  EXPECT_EQ(failure(get()), ErrorKind::bad_reply);
}

TEST_F(CurlClientTest, ContradictingLengthsAreABadReply) {
  server_.then({.raw = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", .close = true});
  EXPECT_EQ(failure(get()), ErrorKind::bad_reply);
  server_.then({.raw = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
                .close = true});
  EXPECT_EQ(failure(get()), ErrorKind::bad_reply);
  server_.then({.raw = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", .close = true});
  EXPECT_EQ(failure(get()), ErrorKind::bad_reply);
}

TEST_F(CurlClientTest, ChunkedBodiesWork) {
  server_.then(
      {.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"});
  const Response response = run(get());
  EXPECT_EQ(response.body, "abcde");
  EXPECT_FALSE(find(response.headers, "x-trailer"));
}

TEST_F(CurlClientTest, InterimRepliesArePassedOver) {
  server_.then(
      {.raw = "HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nok"});
  const Response response = run(get());
  EXPECT_EQ(response.status, 200);
  EXPECT_FALSE(find(response.headers, "x-a"));
  EXPECT_EQ(response.body, "ok");
}

TEST_F(CurlClientTest, HugeHeadersAreABadReply) {
  Reply reply;
  for (int i = 0; i < 100; ++i) reply.headers.emplace_back("X-" + std::to_string(i), std::string(1000, 'h'));
  server_.then(reply);
  EXPECT_EQ(failure(get()), ErrorKind::bad_reply);
  server_.then({.headers = {{"X-One", std::string(90000, 'h')}}});
  EXPECT_EQ(failure(get()), ErrorKind::bad_reply);
}

TEST_F(CurlClientTest, BodiesOverTheLimitAreTooLarge) {
  server_.then({.body = std::string(1001, 'x')});
  Request request = get();
  request.max_body = 1000;
  EXPECT_EQ(failure(std::move(request)), ErrorKind::too_large);
  server_.then({.body = std::string(1000, 'x')});
  request = get();
  request.max_body = 1000;
  EXPECT_EQ(run(std::move(request)).body.size(), 1000U);
}

TEST_F(CurlClientTest, ErrorBodiesAreCutNotRefused) {
  server_.then({.status = 500, .body = std::string(200000, 'x')});
  const Response response = run(get());
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.size(), 65536U);
}

TEST_F(CurlClientTest, SinkSeesOnlySuccess) {
  std::string received;
  const auto with_sink = [&] {
    Request request = get();
    request.sink = [&](BytesView piece) { received += piece; };
    return request;
  };
  server_.then({.status = 404, .body = "missing"});
  EXPECT_EQ(run(with_sink()).body, "missing");
  EXPECT_EQ(received, "");
  server_.then({.body = "data"});
  EXPECT_EQ(run(with_sink()).body, "");
  EXPECT_EQ(received, "data");
}

TEST_F(CurlClientTest, WhatASinkOrInspectorThrowsEndsTheTask) {
  server_.otherwise([](const SeenRequest&) { return Reply{.body = "data"}; });
  Request request = get();
  request.sink = [](BytesView) { throw std::runtime_error("enough"); };
  EXPECT_THROW(run(std::move(request)), std::runtime_error);
  request = get();
  bool delivered = false;
  request.sink = [&](BytesView) { delivered = true; };
  request.inspect = [](const Response& reply) {
    EXPECT_EQ(reply.status, 200);
    throw std::runtime_error("not this one");
  };
  EXPECT_THROW(run(std::move(request)), std::runtime_error);
  EXPECT_FALSE(delivered);
}

TEST_F(CurlClientTest, ConnectionsAreKeptAndBounded) {
  server_.otherwise([](const SeenRequest&) { return Reply{.delay = 5ms}; });
  for (int round = 0; round < 3; ++round) {
    std::vector<Task<Response>> tasks;
    for (int i = 0; i < 20; ++i) {
      tasks.push_back(client_->send(get()));
      tasks.back().start();
    }
    EXPECT_EQ(client_->in_flight(), 20U);
    while (client_->in_flight() > 0) client_->poll(100ms, -1);
    for (auto& task : tasks) EXPECT_EQ(task.take().status, 200);
  }
  EXPECT_EQ(server_.request_count(), 60U);
  EXPECT_LE(server_.connections(), 4);
}

TEST_F(CurlClientTest, ABusyHostDoesNotHoldUpAnother) {
  ScriptedServer other;
  server_.otherwise([](const SeenRequest&) { return Reply{.hang = true}; });
  std::vector<Task<Response>> stuck;
  for (int i = 0; i < 10; ++i) {
    stuck.push_back(client_->send(get()));
    stuck.back().start();
  }
  Request request = get();
  request.url = other.url() + "/x";
  EXPECT_EQ(run(std::move(request)).status, 200);
}

TEST_F(CurlClientTest, ADeadKeptConnectionIsReplacedAndTheBodySentAgain) {
  run(get());
  server_.drop_connections();
  Request request = get();
  request.method = Method::put;
  request.body = "body";
  EXPECT_EQ(run(std::move(request)).status, 200);
  EXPECT_EQ(server_.requests().back().body, "body");
  EXPECT_EQ(server_.connections(), 2);
}

TEST_F(CurlClientTest, DestroyedTasksAbortTheirExchange) {
  server_.otherwise(
      [](const SeenRequest& request) { return request.path() == "/hang" ? Reply{.hang = true} : Reply{.body = "ok"}; });
  for (int polls = 0; polls < 6; ++polls) {
    std::vector<Task<Response>> tasks;
    for (int i = 0; i < 12; ++i) {  // more than the connections: some wait inside the client
      tasks.push_back(client_->send(get("/hang")));
      tasks.back().start();
    }
    for (int i = 0; i < polls; ++i) client_->poll(5ms, -1);
    tasks.clear();
    EXPECT_EQ(client_->in_flight(), 0U);
    EXPECT_EQ(run(get("/ok")).body, "ok");
  }
}

TEST_F(CurlClientTest, ATaskThatEndsMayDestroyOthers) {
  server_.otherwise([](const SeenRequest&) { return Reply{.body = "ok"}; });
  std::vector<Task<Response>> others;
  others.reserve(6);
  for (int i = 0; i < 6; ++i) others.push_back(client_->send(get()));
  const auto destroyer = [](Client* client, Request request, std::vector<Task<Response>>* victims) -> Task<void> {
    Task<Response> sending = client->send(std::move(request));
    co_await sending;
    victims->clear();
  };
  Task<void> first = destroyer(client_.get(), get(), &others);
  first.start();
  for (auto& task : others) task.start();
  while (!first.done()) client_->poll(100ms, -1);
  EXPECT_EQ(client_->in_flight(), 0U);
}

TEST_F(CurlClientTest, TasksMayOutliveTheClient) {
  server_.otherwise([](const SeenRequest&) { return Reply{.hang = true}; });
  std::vector<Task<Response>> tasks;
  for (int i = 0; i < 10; ++i) {
    tasks.push_back(client_->send(get()));
    tasks.back().start();
  }
  Task<void> pausing = client_->pause(1h);
  pausing.start();
  client_->poll(5ms, -1);
  client_.reset();
  EXPECT_FALSE(tasks.front().done());
}

TEST_F(CurlClientTest, PausesEndInOrder) {
  std::vector<int> order;
  const auto wait = [](Client* client, std::chrono::milliseconds time, int number,
                       std::vector<int>* done) -> Task<void> {
    Task<void> pausing = client->pause(time);
    co_await pausing;
    done->push_back(number);
  };
  std::vector<Task<void>> tasks;
  tasks.push_back(wait(client_.get(), 40ms, 3, &order));
  tasks.push_back(wait(client_.get(), 1ms, 1, &order));
  tasks.push_back(wait(client_.get(), 20ms, 2, &order));
  http::run(*client_, gather(std::move(tasks)), -1, [] {});
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(CurlClientTest, AReadableWakeFdEndsThePoll) {
  const int wake = eventfd(1, EFD_CLOEXEC);
  const auto begin = std::chrono::steady_clock::now();
  client_->poll(60s, wake);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s);
  close(wake);
}

TEST_F(CurlClientTest, CancellingBetweenPollsEndsTheExchange) {
  server_.then({.hang = true});
  const auto cancel = [] { throw Error(ErrorKind::cancelled, "cancelled"); };
  EXPECT_THROW(http::run(*client_, client_->send(get()), -1, cancel), Error);
  EXPECT_EQ(client_->in_flight(), 0U);
}

TEST_F(CurlClientTest, LeavesTheSignalMaskAlone) {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  run(get());
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGALRM}) {
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal));
  }
}

}  // namespace
}  // namespace audiostore::http
