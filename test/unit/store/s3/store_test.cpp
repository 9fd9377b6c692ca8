// The driver against a server that misbehaves on cue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "http/scripted_server.hpp"
#include "store/s3/harness.hpp"

namespace audiostore::store::s3 {
namespace {

using namespace std::chrono_literals;
using test::Reply;
using test::ScriptedServer;
using test::SeenRequest;
using testing::HasSubstr;

std::string error_xml(const std::string& code) {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>m</Message></Error>";
}

class S3StoreTest : public testing::Test {
 protected:
  S3StoreTest() : harness_(server_.url()) {}

  std::unique_ptr<S3Store> open(Limits limits = {}) { return harness_.open(limits); }
  std::size_t requests() const { return server_.request_count(); }

  ScriptedServer server_;
  Harness harness_;
};

TEST_F(S3StoreTest, PutsCarryWhatTheOptionsSay) {
  harness_.config_.options["sse"] = "aws:kms:arn:aws:kms:eu-west-1:1:key/2";
  harness_.config_.options["storage_class"] = "STANDARD_IA";
  harness_.config_.credentials.emplace("session_token", Secret("token"));
  harness_.config_.common.prefix = "raw/";
  server_.then({.headers = {{"ETag", "\"e1\""}}});
  const ObjectInfo info = harness_.run(open()->put("a b", "data", {"audio/wav", {{"Title", "\xc3\xa4"}}, ""}));
  EXPECT_EQ(info.key, "a b");
  EXPECT_EQ(info.etag, "e1");
  const SeenRequest seen = server_.requests().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.target, "/audio/raw/a%20b");
  EXPECT_EQ(seen.body, "data");
  EXPECT_EQ(seen.headers.at("content-type"), "audio/wav");
  EXPECT_EQ(seen.headers.at("x-amz-meta-title"), "=?UTF-8?B?w6Q=?=");
  EXPECT_EQ(seen.headers.at("x-amz-storage-class"), "STANDARD_IA");
  EXPECT_EQ(seen.headers.at("x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(seen.headers.at("x-amz-server-side-encryption-aws-kms-key-id"), "arn:aws:kms:eu-west-1:1:key/2");
  EXPECT_EQ(seen.headers.at("x-amz-security-token"), "token");
  EXPECT_EQ(seen.headers.at("x-amz-content-sha256"), hex(view(sha256("data"))));
}

TEST_F(S3StoreTest, KeysAreCheckedBeforeAnythingIsSent) {
  auto store = open();
  harness_.config_.common.prefix = "prefix/";
  auto prefixed = open();
  for (const std::string& key : {std::string(), std::string("a\0b", 3), std::string("\xff"), std::string(1025, 'k')}) {
    EXPECT_EQ(harness_.failure(store->put(key, "x", {})).kind(), ErrorKind::invalid_key);
    EXPECT_EQ(harness_.failure(store->head(key)).kind(), ErrorKind::invalid_key);
    EXPECT_EQ(harness_.run(store->remove({key})).at(0).error.value().kind(), ErrorKind::invalid_key);
    EXPECT_THROW(store->check_key(key), Error);
  }
  EXPECT_NO_THROW(store->check_key(std::string(1024, 'k')));
  EXPECT_THROW(prefixed->check_key(std::string(1018, 'k')), Error);
  EXPECT_EQ(requests(), 0U);
}

TEST_F(S3StoreTest, MetadataThatNoHeaderCanCarryIsRefused) {
  auto store = open();
  EXPECT_EQ(harness_.failure(store->put("k", "x", {"", {{"a b", "x"}}, ""})).kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(harness_.failure(store->put("k", "x", {"", {{"", "x"}}, ""})).kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(harness_.failure(store->put("k", "x", {"a\r\nb: c", {}, ""})).kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(harness_.failure(store->put("k", "x", {"", {}, "NO SUCH"})).kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(requests(), 0U);
}

TEST_F(S3StoreTest, SinglePutsAndDeletesAreNotRepeated) {
  auto store = open();
  server_.otherwise([](const SeenRequest&) { return Reply{.status = 503, .body = error_xml("SlowDown")}; });
  EXPECT_EQ(harness_.failure(store->put("k", "x", {})).kind(), ErrorKind::throttled);
  EXPECT_EQ(requests(), 1U);
  EXPECT_EQ(harness_.failure(store->remove({"k"})).kind(), ErrorKind::throttled);
  EXPECT_EQ(requests(), 2U);
}

TEST_F(S3StoreTest, ReadsAreRepeatedAFewTimes) {
  auto store = open();
  server_.then({.status = 503, .body = error_xml("SlowDown")});
  server_.then({.reset = true});
  server_.then({.body = "data"});
  std::string body;
  EXPECT_EQ(harness_.run(store->get("k", {}, [&](BytesView piece) { body += piece; })).size, 4U);
  EXPECT_EQ(body, "data");
  EXPECT_EQ(requests(), 3U);
  server_.otherwise([](const SeenRequest&) { return Reply{.status = 500}; });
  EXPECT_EQ(harness_.failure(store->list({})).kind(), ErrorKind::server_error);
  EXPECT_EQ(requests(), 6U);
  EXPECT_EQ(harness_.failure(store->get("k", {}, [](BytesView) {})).kind(), ErrorKind::server_error);
  EXPECT_EQ(requests(), 9U);
}

TEST_F(S3StoreTest, WhatWasDeliveredIsNotDeliveredTwice) {
  auto store = open();
  server_.then({.body = std::string(1000, 'x'), .cut_at = 10});
  server_.then({.body = std::string(1000, 'x')});
  std::string body;
  EXPECT_EQ(harness_.failure(store->get("k", {}, [&](BytesView piece) { body += piece; })).kind(),
            ErrorKind::interrupted);
  EXPECT_EQ(body.size(), 10U);
  EXPECT_EQ(requests(), 1U);
}

TEST_F(S3StoreTest, ARangeMustBeTheOneAskedFor) {
  auto store = open();
  const auto get = [&](Range range, const Reply& reply) {
    server_.otherwise([reply](const SeenRequest&) { return reply; });
    std::string body;
    const Error error = harness_.failure(store->get("k", range, [&](BytesView piece) { body += piece; }));
    EXPECT_EQ(body, "");
    return error.kind();
  };
  EXPECT_EQ(get({2, 3}, {.status = 200, .body = "0123456789"}), ErrorKind::bad_reply);
  EXPECT_EQ(get({2, 3}, {.status = 206, .body = "012"}), ErrorKind::bad_reply);
  EXPECT_EQ(get({2, 3}, {.status = 206, .headers = {{"Content-Range", "bytes 0-2/10"}}, .body = "012"}),
            ErrorKind::bad_reply);
  EXPECT_EQ(get({2, 3}, {.status = 206, .headers = {{"Content-Range", "bytes 2-9/10"}}, .body = "01234567"}),
            ErrorKind::bad_reply);
  EXPECT_EQ(get({}, {.status = 206, .headers = {{"Content-Range", "bytes 0-2/10"}}, .body = "012"}),
            ErrorKind::bad_reply);
  server_.then({.status = 206, .headers = {{"Content-Range", "bytes 2-4/10"}}, .body = "23"});
  EXPECT_EQ(harness_.failure(store->get("k", {2, 3}, [](BytesView) {})).kind(), ErrorKind::bad_reply);
  server_.then({.status = 206, .headers = {{"Content-Range", "bytes 2-4/10"}}, .body = "234"});
  EXPECT_EQ(harness_.run(store->get("k", {2, 3}, [](BytesView) {})).size, 10U);
  EXPECT_EQ(server_.requests().back().headers.at("range"), "bytes=2-4");
}

TEST_F(S3StoreTest, AnAbsentObjectIsToldFromAnAbsentBucket) {
  auto store = open();
  server_.then({.status = 404});
  server_.then({.status = 200});
  EXPECT_EQ(harness_.run(store->head("k")), std::nullopt);
  EXPECT_EQ(requests(), 2U);
  server_.then({.status = 404});
  EXPECT_EQ(harness_.run(store->head("k")), std::nullopt);
  EXPECT_EQ(requests(), 3U);  // the bucket was seen a moment ago
  auto other = open();
  server_.then({.status = 404});
  server_.then({.status = 404});
  EXPECT_EQ(harness_.failure(other->head("k")).kind(), ErrorKind::no_such_bucket);
}

TEST_F(S3StoreTest, A404ThatIsNotS3IsNoAbsence) {
  auto store = open();
  Reply page{.status = 404, .body = "<html><body>nginx</body></html>"};
  server_.otherwise([page](const SeenRequest&) { return page; });
  EXPECT_EQ(harness_.failure(store->get("k", {}, [](BytesView) {})).kind(), ErrorKind::bad_reply);
  EXPECT_EQ(harness_.failure(store->remove({"k"})).kind(), ErrorKind::bad_reply);
  EXPECT_EQ(harness_.run(store->remove({"k\x01"})).at(0).error.value().kind(), ErrorKind::bad_reply);
}

TEST_F(S3StoreTest, DeletesNameEachKeyEscaped) {
  harness_.config_.common.prefix = "a&b/";
  server_.then({.body = "<DeleteResult/>"});
  const auto outcomes = harness_.run(open()->remove({"x", "<y>", "line\nbreak"}));
  for (const RemoveOutcome& outcome : outcomes) EXPECT_FALSE(outcome.error);
  const SeenRequest seen = server_.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/audio?delete=");
  EXPECT_EQ(seen.headers.at("content-type"), "application/xml");
  EXPECT_EQ(seen.headers.at("content-md5"), base64(view(md5(seen.body))));
  EXPECT_THAT(seen.body,
              HasSubstr("<Quiet>true</Quiet><Object><Key>a&amp;b/x</Key></Object><Object><Key>a&amp;b/&lt;y&gt;"
                        "</Key></Object><Object><Key>a&amp;b/line&#10;break</Key></Object></Delete>"));
}

TEST_F(S3StoreTest, ErrorsInsideA200AreEachKeysOwn) {
  harness_.config_.common.prefix = "p/";
  server_.then(
      {.body = "<DeleteResult><Error><Key>p/b</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
               "<Error><Key>p/c</Key><Code>InternalError</Code></Error>"
               "<Error><Key>p/d</Key><Code>NoSuchKey</Code></Error><Deleted><Key>p/a</Key></Deleted></DeleteResult>"});
  const auto outcomes = harness_.run(open()->remove({"a", "b", "c", "d", "b"}));
  ASSERT_EQ(outcomes.size(), 5U);
  EXPECT_FALSE(outcomes[0].error);
  EXPECT_EQ(outcomes[1].key, "b");
  EXPECT_EQ(outcomes[1].error.value().kind(), ErrorKind::access_denied);
  EXPECT_EQ(outcomes[2].error.value().kind(), ErrorKind::server_error);
  EXPECT_FALSE(outcomes[3].error);
  EXPECT_EQ(outcomes[4].error.value().kind(), ErrorKind::access_denied);
}

TEST_F(S3StoreTest, ADeleteReplyAboutOtherKeysIsNotBelieved) {
  auto store = open();
  for (const char* body : {"<DeleteResult><Deleted><Key>other</Key></Deleted></DeleteResult>",
                           "<DeleteResult><Error><Key>other</Key><Code>X</Code></Error></DeleteResult>", "", "<html/>",
                           "<Error><Code>InternalError</Code></Error>"}) {
    server_.then({.body = body});
    EXPECT_EQ(harness_.failure(store->remove({"a"})).kind(), ErrorKind::bad_reply) << body;
  }
}

TEST_F(S3StoreTest, KeysThatXmlCannotCarryAreDeletedOneByOne) {
  server_.otherwise([](const SeenRequest& request) {
    if (request.method == "POST") return Reply{.body = "<DeleteResult/>"};
    if (request.target == "/audio/bad%02") return Reply{.status = 403, .body = error_xml("AccessDenied")};
    return Reply{.status = 204};
  });
  const auto outcomes = harness_.run(open()->remove({"a\x01", "plain", "bad\x02", "b\x0b"}));
  EXPECT_FALSE(outcomes[0].error);
  EXPECT_FALSE(outcomes[1].error);
  EXPECT_EQ(outcomes[2].error.value().kind(), ErrorKind::access_denied);
  EXPECT_FALSE(outcomes[3].error);
  EXPECT_EQ(requests(), 4U);
}

TEST_F(S3StoreTest, TooManyKeysAreRefused) {
  EXPECT_EQ(harness_.failure(open()->remove(std::vector<std::string>(1001, "k"))).kind(), ErrorKind::internal);
  EXPECT_EQ(harness_.run(open()->remove({})).size(), 0U);
  EXPECT_EQ(requests(), 0U);
}

TEST_F(S3StoreTest, UnfinishedUploadsOfOneKeyGoOverPages) {
  harness_.config_.common.prefix = "raw/";
  const auto page = [](const std::string& id, const char* truncated) {
    return "<ListMultipartUploadsResult><IsTruncated>" + std::string(truncated) +
           "</IsTruncated><Upload><Key>raw/a b</Key><UploadId>" + id +
           "</UploadId><Initiated>2025-11-20T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>";
  };
  server_.then({.body = page("one+two", "true")});
  ListQuery query{.prefix = "a", .after = {}, .limit = 5000, .unfinished = true};
  const ListPage first = harness_.run(open()->list(query));
  EXPECT_EQ(server_.requests().back().query(), "encoding-type=url&max-uploads=1000&prefix=raw%2Fa&uploads=");
  EXPECT_EQ(first.objects.at(0).key, "a b");
  EXPECT_EQ(first.objects.at(0).etag, "one+two");
  ASSERT_TRUE(first.more);
  server_.then({.body = page("three", "false")});
  query.after = first.resume;
  EXPECT_FALSE(harness_.run(open()->list(query)).more);
  EXPECT_EQ(
      server_.requests().back().query(),
      "encoding-type=url&key-marker=raw%2Fa%20b&max-uploads=1000&prefix=raw%2Fa&upload-id-marker=one%2Btwo&uploads=");
}

TEST_F(S3StoreTest, ListsAskFromAfterThePrefix) {
  harness_.config_.common.prefix = "raw/";
  const std::string page =
      "<ListBucketResult><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType><Contents><Key>raw%2Fa%2Bb</"
      "Key>"
      "<LastModified>2025-11-20T00:00:00Z</LastModified><Size>1</Size></Contents></ListBucketResult>";
  server_.then({.body = page});
  const ListPage first = harness_.run(open()->list({"a", "", 5000}));
  EXPECT_EQ(server_.requests().back().query(),
            "encoding-type=url&list-type=2&max-keys=1000&prefix=raw%2Fa&start-after=raw%2F");
  EXPECT_EQ(first.objects.at(0).key, "a+b");
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.resume, "a+b");
  server_.then({.body = page});
  EXPECT_EQ(harness_.failure(open()->list({"a", first.resume, 10})).kind(), ErrorKind::bad_reply);
  EXPECT_EQ(server_.requests().back().query(),
            "encoding-type=url&list-type=2&max-keys=10&prefix=raw%2Fa&start-after=raw%2Fa%2Bb");
}

// A stub of multipart uploads: counts, and fails where told to.
class Multipart {
 public:
  std::function<std::optional<Reply>(const SeenRequest&)> interfere;
  std::atomic<int> now{0}, most{0}, created{0}, parts{0}, completed{0}, aborted{0};
  std::mutex mutex;
  std::map<int, std::string> bodies;
  std::string complete_body, create_headers, ranges;

  Reply operator()(const SeenRequest& request) {
    most = std::max<int>(most, ++now);
    std::optional<Reply> reply = interfere ? interfere(request) : std::nullopt;
    const Reply otherwise = answer(request);
    --now;
    return reply ? *reply : otherwise;
  }

 private:
  Reply answer(const SeenRequest& request) {
    const std::lock_guard lock(mutex);
    const std::string query = request.query();
    if (request.method == "HEAD") {
      return {.headers = {{"Content-Type", "audio/flac"},
                          {"ETag", "\"src\""},
                          {"X-Amz-Meta-A", "b"},
                          {"Cache-Control", "no-store"}},
              .raw =
                  "HTTP/1.1 200 OK\r\nContent-Length: 25\r\nETag: \"src\"\r\nContent-Type: audio/flac\r\n"
                  "X-Amz-Meta-A: b\r\nCache-Control: no-store\r\n\r\n"};
    }
    if (query == "uploads=") {
      ++created;
      for (const auto& [name, value] : request.headers)
        create_headers.append(name).append("=").append(value).append("\n");
      return {.body = "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>"};
    }
    if (query.starts_with("partNumber=")) {
      ++parts;
      const std::string number = query.substr(11, query.find('&') - 11);
      bodies[std::stoi(number)] = request.body;
      if (request.headers.contains("x-amz-copy-source")) {
        ranges += request.headers.at("x-amz-copy-source-range") + "\n";
        return {.body = "<CopyPartResult><ETag>\"p" + number + "\"</ETag></CopyPartResult>"};
      }
      return {.headers = {{"ETag", "\"p" + number + "\""}}};
    }
    if (request.method == "POST") {
      ++completed;
      complete_body = request.body;
      return {.body = "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>"};
    }
    ++aborted;
    return {.status = 204};
  }
};

class S3MultipartTest : public S3StoreTest {
 protected:
  S3MultipartTest() {
    limits_.multipart_above = 10;
    limits_.part_size = 4;
    limits_.copy_in_parts_above = 20;
    limits_.copy_part_size = 10;
    server_.otherwise([this](const SeenRequest& request) { return stub_(request); });
  }
  Limits limits_;
  Multipart stub_;
};

TEST_F(S3MultipartTest, LargePutsGoInPartsSideBySide) {
  stub_.interfere = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.query().starts_with("partNumber=")) std::this_thread::sleep_for(20ms);
    return std::nullopt;
  };
  const std::string data = "0123456789abcdefghijklmnopq";
  const ObjectInfo info = harness_.run(open(limits_)->put("k", data, {"audio/wav", {{"a", "b"}}, "COLD"}));
  EXPECT_EQ(info.size, data.size());
  EXPECT_EQ(info.etag, "whole");
  EXPECT_EQ(stub_.parts, 7);
  EXPECT_GT(stub_.most, 1);
  EXPECT_LE(stub_.most, 4);
  std::string joined;
  for (const auto& [number, body] : stub_.bodies) joined += body;
  EXPECT_EQ(joined, data);
  EXPECT_THAT(stub_.create_headers, HasSubstr("content-type=audio/wav\n"));
  EXPECT_THAT(stub_.create_headers, HasSubstr("x-amz-meta-a=b\n"));
  EXPECT_THAT(stub_.create_headers, HasSubstr("x-amz-storage-class=COLD\n"));
  EXPECT_THAT(stub_.complete_body, HasSubstr("<Part><PartNumber>1</PartNumber><ETag>&quot;p1&quot;</ETag></Part><Part>"
                                             "<PartNumber>2</PartNumber>"));
  EXPECT_EQ(stub_.aborted, 0);
}

TEST_F(S3MultipartTest, PartsGrowWithTheObject) {
  limits_.max_parts = 3;
  const std::string data(std::size_t{5} << 20, 'x');
  harness_.run(open(limits_)->put("k", data, {}));
  EXPECT_EQ(stub_.parts, 3);
  EXPECT_EQ(stub_.bodies[1].size(), std::size_t{2} << 20);
}

TEST_F(S3MultipartTest, APartIsRepeated) {
  std::atomic<int> failures{0};
  stub_.interfere = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.query().starts_with("partNumber=2&") && failures++ < 2)
      return Reply{.status = 500, .body = error_xml("InternalError")};
    return std::nullopt;
  };
  harness_.run(open(limits_)->put("k", std::string(20, 'x'), {}));
  EXPECT_EQ(failures, 3);
  EXPECT_EQ(stub_.completed, 1);
}

TEST_F(S3MultipartTest, AFailureAbortsTheUpload) {
  for (const std::string victim : {"partNumber=3&", "uploadId="}) {
    stub_.aborted = 0;
    stub_.completed = 0;
    stub_.interfere = [victim](const SeenRequest& request) -> std::optional<Reply> {
      if (request.method != "DELETE" && request.query().starts_with(victim))
        return Reply{.status = 403, .body = error_xml("AccessDenied")};
      return std::nullopt;
    };
    const Error error = harness_.failure(open(limits_)->put("k", std::string(20, 'x'), {}));
    EXPECT_EQ(error.kind(), ErrorKind::access_denied);
    EXPECT_THAT(error.message(), HasSubstr("could not put object \"k\" of store \"media\""));
    EXPECT_EQ(stub_.aborted, 1) << victim;
    EXPECT_EQ(server_.requests().back().method, "DELETE");
    EXPECT_EQ(server_.requests().back().query(), "uploadId=u%2F1");
  }
}

TEST_F(S3MultipartTest, AnErrorInsideThe200OfCompleteIsAnError) {
  stub_.interfere = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.method == "POST" && request.query() != "uploads=")
      return Reply{.body = "  \n" + error_xml("InternalError")};
    return std::nullopt;
  };
  EXPECT_EQ(harness_.failure(open(limits_)->put("k", std::string(20, 'x'), {})).kind(), ErrorKind::server_error);
  EXPECT_EQ(stub_.aborted, 1);
}

TEST_F(S3MultipartTest, AnUploadThatCannotBeAbortedIsMentioned) {
  stub_.interfere = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.query() == "uploads=") return std::nullopt;
    return Reply{.status = 403, .body = error_xml("AccessDenied")};
  };
  EXPECT_THAT(harness_.failure(open(limits_)->put("k", std::string(20, 'x'), {})).detail(),
              HasSubstr("unfinished upload"));
}

TEST_F(S3MultipartTest, APartWithoutAnETagIsABadReply) {
  stub_.interfere = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.query().starts_with("partNumber=")) return Reply{};
    return std::nullopt;
  };
  EXPECT_EQ(harness_.failure(open(limits_)->put("k", std::string(20, 'x'), {})).kind(), ErrorKind::bad_reply);
}

TEST_F(S3MultipartTest, DestroyedInTheMiddleItLetsGo) {
  stub_.interfere = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.query().starts_with("partNumber=")) return Reply{.hang = true};
    return std::nullopt;
  };
  const std::string data(20, 'x');
  auto store = open(limits_);
  {
    Task<ObjectInfo> putting = store->put("k", data, {});
    putting.start();
    while (stub_.parts < 2) harness_.client_->poll(10ms, -1);
  }
  EXPECT_EQ(harness_.client_->in_flight(), 0U);
}

TEST_F(S3MultipartTest, LargeCopiesGoInPartsWithTheirMetadata) {
  auto store = open(limits_);
  harness_.run(store->copy("from", *store, "to"));
  EXPECT_EQ(stub_.parts, 3);
  for (const char* range : {"bytes=0-9\n", "bytes=10-19\n", "bytes=20-24\n"})
    EXPECT_THAT(stub_.ranges, HasSubstr(range));
  EXPECT_THAT(stub_.create_headers, HasSubstr("content-type=audio/flac\n"));
  EXPECT_THAT(stub_.create_headers, HasSubstr("x-amz-meta-a=b\n"));
  EXPECT_THAT(stub_.create_headers, HasSubstr("cache-control=no-store\n"));
  EXPECT_EQ(stub_.completed, 1);
}

TEST_F(S3MultipartTest, AnErrorInsideThe200OfACopiedPartIsAnError) {
  stub_.interfere = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.query().starts_with("partNumber=")) return Reply{.body = error_xml("AccessDenied")};
    return std::nullopt;
  };
  auto store = open(limits_);
  EXPECT_EQ(harness_.failure(store->copy("from", *store, "to")).kind(), ErrorKind::access_denied);
  EXPECT_EQ(stub_.aborted, 1);
}

class S3CopyTest : public S3StoreTest {
 protected:
  // HEAD tells the source; the PUT is answered with this.
  void answer_copies(const Reply& reply) {
    server_.otherwise([reply](const SeenRequest& request) {
      if (request.method != "HEAD") return reply;
      return Reply{.headers = {{"ETag", "\"src\""}, {"x-amz-storage-class", "COLD"}}, .body = "12345"};
    });
  }
  const std::string done_ = "<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>";
};

TEST_F(S3CopyTest, TheSourceIsNamedEncodedAndPinned) {
  answer_copies({.body = done_});
  harness_.config_.common.prefix = "p/";
  auto from = open();
  harness_.config_.options["bucket"] = "other";
  harness_.config_.options["storage_class"] = "STANDARD_IA";
  harness_.config_.options["sse"] = "AES256";
  harness_.config_.common.prefix = "q/";
  auto to = open();
  harness_.run(from->copy("a b+\xc3\xa4", *to, "c"));
  const SeenRequest seen = server_.requests().back();
  EXPECT_EQ(seen.target, "/other/q/c");
  EXPECT_EQ(seen.headers.at("x-amz-copy-source"), "/audio/p/a%20b%2B%C3%A4");
  EXPECT_EQ(seen.headers.at("x-amz-copy-source-if-match"), "\"src\"");
  EXPECT_EQ(seen.headers.at("x-amz-storage-class"), "STANDARD_IA");
  EXPECT_EQ(seen.headers.at("x-amz-server-side-encryption"), "AES256");
}

TEST_F(S3CopyTest, AnErrorInsideThe200IsAnError) {
  auto store = open();
  answer_copies({.body = error_xml("InternalError")});
  EXPECT_EQ(harness_.failure(store->copy("a", *store, "b")).kind(), ErrorKind::server_error);
  answer_copies({.body = ""});
  EXPECT_EQ(harness_.failure(store->copy("a", *store, "b")).kind(), ErrorKind::bad_reply);
  answer_copies({.status = 412, .body = error_xml("PreconditionFailed")});
  EXPECT_EQ(harness_.failure(store->copy("a", *store, "b")).kind(), ErrorKind::precondition_failed);
}

TEST_F(S3CopyTest, OntoItselfThereIsNothingToDo) {
  auto store = open();
  answer_copies({.status = 400, .body = error_xml("InvalidRequest")});
  harness_.run(store->copy("a", *store, "a"));
  harness_.run(store->set_storage_class("a", "COLD"));
  EXPECT_EQ(requests(), 2U);
}

TEST_F(S3CopyTest, TheClassIsChangedByACopyOntoItself) {
  auto store = open();
  answer_copies({.body = done_});
  harness_.run(store->set_storage_class("a", "GLACIER"));
  const SeenRequest seen = server_.requests().back();
  EXPECT_EQ(seen.target, "/audio/a");
  EXPECT_EQ(seen.headers.at("x-amz-storage-class"), "GLACIER");
  EXPECT_EQ(seen.headers.at("x-amz-metadata-directive"), "COPY");
}

// A request whose answer was lost goes on at the server: by the time of the next one the object has its class.
TEST_F(S3CopyTest, AClassThatIsChangedMeanwhileIsNoError) {
  auto store = open();
  auto looks = std::make_shared<int>(0);
  server_.otherwise([looks](const SeenRequest& request) {
    if (request.method != "HEAD") return Reply{.status = 400, .body = error_xml("InvalidRequest")};
    std::string const now = (*looks)++ == 1 ? "GLACIER" : "COLD";
    return Reply{.headers = {{"ETag", "\"src\""}, {"x-amz-storage-class", now}}, .body = "12345"};
  });
  harness_.run(store->set_storage_class("a", "GLACIER"));
  EXPECT_EQ(requests(), 3U);
  EXPECT_NE(harness_.failure(store->set_storage_class("a", "GLACIER")).message(), "");
}

TEST_F(S3CopyTest, OnlyBetweenBucketsOfOneEndpointAndUser) {
  auto store = open();
  harness_.config_.options["bucket"] = "other";
  EXPECT_TRUE(store->can_copy_to(*open()));
  harness_.config_.credentials["access_key_id"] = Secret("somebody");
  auto stranger = open();
  EXPECT_FALSE(store->can_copy_to(*stranger));
  EXPECT_EQ(harness_.failure(store->copy("a", *stranger, "b")).kind(), ErrorKind::unsupported);
  harness_.config_.credentials["access_key_id"] = Secret("test");
  harness_.config_.options["endpoint"] = "http://localhost:1";
  EXPECT_FALSE(store->can_copy_to(*open()));
}

TEST_F(S3StoreTest, SignedUrlsNameThePublicHost) {
  harness_.config_.common.public_url = "https://media.example.com";
  SignedUrlRequest request;
  request.key = "a b";
  EXPECT_TRUE(open()->signed_url(request).starts_with("https://media.example.com/audio/a%20b?X-Amz-Algorithm="));
  request.method = "POST";
  EXPECT_THROW(static_cast<void>(open()->signed_url(request)), Error);
}

TEST_F(S3StoreTest, TasksMayBeDestroyedAnywhere) {
  server_.otherwise([](const SeenRequest&) { return Reply{.hang = true}; });
  auto store = open();
  const std::string data = "data";
  for (int polls = 0; polls < 4; ++polls) {
    Task<ObjectInfo> putting = store->put("k", data, {});
    Task<std::optional<ObjectInfo>> looking = store->head("k");
    Task<std::vector<RemoveOutcome>> removing = store->remove({"a", "b\x01", "c\x01"});
    Task<ListPage> listing = store->list({});
    putting.start();
    looking.start();
    removing.start();
    listing.start();
    for (int i = 0; i < polls; ++i) harness_.client_->poll(5ms, -1);
  }
  EXPECT_EQ(harness_.client_->in_flight(), 0U);
}

TEST_F(S3StoreTest, SecretsStayOutOfErrors) {
  harness_.config_.credentials["secret_access_key"] = Secret("open sesame");
  auto store = open();
  for (const Reply& reply :
       {Reply{.status = 403, .body = error_xml("SignatureDoesNotMatch")}, Reply{.reset = true}, Reply{.body = "x"}}) {
    server_.otherwise([reply](const SeenRequest&) { return reply; });
    const Error error = harness_.failure(store->list({}));
    EXPECT_EQ((error.message() + error.detail() + error.hint()).find("sesame"), std::string::npos);
  }
}

}  // namespace
}  // namespace audiostore::store::s3
