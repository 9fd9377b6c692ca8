#include "store/s3/reply.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/time_format.hpp"

namespace audiostore::store::s3 {
namespace {

template <class F>
bool is_bad_reply(F&& read) {
  try {
    read();
    return false;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_reply) << error.message();
    return true;
  }
}

std::string item(const std::string& key, const std::string& rest = {}) {
  return "<Contents><Key>" + key +
         "</Key><LastModified>2025-11-20T01:02:03.004Z</LastModified>"
         "<ETag>&quot;abc&quot;</ETag><Size>12</Size>" +
         rest + "</Contents>";
}
std::string listing(const std::string& items, bool truncated = false, const std::string& rest = {}) {
  return R"(<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>)" +
         std::string(truncated ? "true" : "false") + "</IsTruncated>" + rest + items + "</ListBucketResult>";
}

TEST(Reply, ListingsAreRead) {
  const Listing page = read_listing(
      listing(item("raw/a") + item("raw/b", "<StorageClass>GLACIER</StorageClass>"), true), "raw/", "raw/");
  ASSERT_EQ(page.objects.size(), 2U);
  EXPECT_TRUE(page.truncated);
  EXPECT_EQ(page.objects[0].key, "raw/a");
  EXPECT_EQ(page.objects[0].etag, "abc");
  EXPECT_EQ(page.objects[0].size, 12U);
  EXPECT_EQ(page.objects[0].storage_class, "STANDARD");
  EXPECT_EQ(page.objects[1].storage_class, "GLACIER");
}

std::string upload(const std::string& key, const std::string& id) {
  return "<Upload><Key>" + key + "</Key><UploadId>" + id +
         "</UploadId><Initiated>2025-11-20T01:02:03Z</Initiated></Upload>";
}
std::string uploads(const std::string& items, bool truncated = false) {
  return "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>" +
         std::string(truncated ? "true" : "false") + "</IsTruncated>" + items + "</ListMultipartUploadsResult>";
}

TEST(Reply, UnfinishedUploadsAreRead) {
  const Listing page = read_uploads(uploads(upload("raw/a%2Fb", "1") + upload("raw/a%2Fb", "2"), true), "raw/", "");
  ASSERT_EQ(page.objects.size(), 2U);
  EXPECT_EQ(page.objects[1].key, "raw/a/b");
  EXPECT_EQ(page.objects[1].etag, "2");
  EXPECT_EQ(page.objects[1].last_modified, parse_iso8601("2025-11-20T01:02:03Z"));
  EXPECT_TRUE(page.truncated);
  EXPECT_TRUE(is_bad_reply([] { read_uploads(uploads(upload("b", "1") + upload("a", "2")), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_uploads(uploads(upload("a", "1")), "", "b"); }));
  EXPECT_TRUE(is_bad_reply([] { read_uploads(uploads(upload("a", "1")), "raw/", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_uploads(uploads(upload("a", "")), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_uploads(uploads(upload("%zz", "1")), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_uploads(uploads("", true), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_uploads("<ListBucketResult/>", "", ""); }));
}

TEST(Reply, EncodedKeysOfUploadsAreDecodedWhereTheServerForgetsToSaySo) {
  const auto keys = [](const std::string& items) {
    std::vector<std::string> found;
    const std::string reply =
        "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>" + items + "</ListMultipartUploadsResult>";
    for (const ObjectInfo& object : read_uploads(reply, "", "").objects) found.push_back(object.key);
    return found;
  };
  EXPECT_THAT(keys(upload("S%E1%BB%91/1.wav", "1") + upload("a%20b%2Bc%2520.wav", "2")),
              testing::ElementsAre("Số/1.wav", "a b+c%20.wav"));
  EXPECT_THAT(keys(upload("a b+c%20.wav", "1") + upload("b%20", "2")), testing::ElementsAre("a b+c%20.wav", "b%20"));
  EXPECT_THAT(keys(upload("100%", "1")), testing::ElementsAre("100%"));
  EXPECT_THAT(keys(upload("a%2", "1")), testing::ElementsAre("a%2"));
}

TEST(Reply, EncodedKeysAreDecodedOnlyWhereTheServerSaysSo) {
  const std::string encoded = "<EncodingType>url</EncodingType>";
  EXPECT_EQ(read_listing(listing(item("a%2Fb+c%2B%01"), false, encoded), "", "").objects[0].key, "a/b c+\x01");
  EXPECT_EQ(read_listing(listing(item("a%2Fb+c")), "", "").objects[0].key, "a%2Fb+c");
}

TEST(Reply, ListingsThatContradictTheRequestAreBad) {
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing(item("b") + item("a")), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing(item("a") + item("a")), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing(item("a")), "", "a"); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing(item("a")), "", "b"); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing(item("other/a")), "raw/", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing("", true), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing(item("")), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing(item("\xff")), "", ""); }));
  EXPECT_TRUE(
      is_bad_reply([] { read_listing(listing(item("%zz"), false, "<EncodingType>url</EncodingType>"), "", ""); }));
  EXPECT_TRUE(
      is_bad_reply([] { read_listing(listing(item("a%00"), false, "<EncodingType>url</EncodingType>"), "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing("<ListBucketResult/>", "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing("<html/>", "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing("<Contents/>", "", ""); }));
  EXPECT_TRUE(is_bad_reply([] { read_listing(listing("<Contents><Key>a</Key></Contents>"), "", ""); }));
}

Failure failure_of(int status, std::string body, http::Headers headers = {}) {
  return read_failure(http::Response{status, std::move(headers), std::move(body)});
}

TEST(Reply, ErrorsAreReadWhateverTheirNamespace) {
  const Failure failure = failure_of(
      403,
      "<Error xmlns=\"urn:x\"><Code>AccessDenied</Code><Message>no\nway</Message><RequestId>r1</RequestId></Error>");
  const Error error = to_error(failure, "could not put object \"a\"");
  EXPECT_EQ(error.kind(), ErrorKind::access_denied);
  EXPECT_EQ(error.message(), "could not put object \"a\"");
  EXPECT_EQ(error.detail(), "The server answered 403 AccessDenied: no?way (request r1)");
}

TEST(Reply, CodesBecomeKinds) {
  const std::tuple<int, const char*, ErrorKind> known[] = {
      {503, "SlowDown", ErrorKind::throttled},
      {503, "ServiceUnavailable", ErrorKind::unavailable},
      {403, "RequestTimeTooSkewed", ErrorKind::access_denied},
      {404, "NoSuchBucket", ErrorKind::no_such_bucket},
      {404, "NoSuchKey", ErrorKind::not_found},
      {403, "InvalidAccessKeyId", ErrorKind::access_denied},
      {403, "SignatureDoesNotMatch", ErrorKind::access_denied},
      {400, "ExpiredToken", ErrorKind::access_denied},
      {412, "PreconditionFailed", ErrorKind::precondition_failed},
      {403, "InvalidObjectState", ErrorKind::precondition_failed},
      {400, "EntityTooLarge", ErrorKind::too_large},
      {400, "RequestTimeout", ErrorKind::timeout},
      {500, "InternalError", ErrorKind::server_error},
      {200, "InternalError", ErrorKind::server_error},
      {200, "SomethingNew", ErrorKind::server_error},
      {0, "SomethingNew", ErrorKind::server_error},
      {400, "SomethingNew", ErrorKind::invalid_argument},
      {404, "SomethingNew", ErrorKind::not_found},
      {404, "", ErrorKind::bad_reply},
      {500, "", ErrorKind::server_error},
      {502, "", ErrorKind::server_error},
      {503, "", ErrorKind::unavailable},
      {429, "", ErrorKind::throttled},
      {507, "", ErrorKind::store_full},
      {301, "", ErrorKind::no_such_bucket},
  };
  for (const auto& [status, code, kind] : known) EXPECT_EQ(kind_of(status, code), kind) << status << " " << code;
}

TEST(Reply, ARedirectNamesTheRegion) {
  const Error error = to_error(failure_of(301, "", {{"x-amz-bucket-region", "eu-west-3"}}), "x");
  EXPECT_NE(error.hint().find("eu-west-3"), std::string::npos);
}

TEST(Reply, ErrorsThatAreNotXmlKeepTheirStatus) {
  for (const char* body : {"", "<html><body>502", "<!DOCTYPE html><html></html>", "nginx", "<a/><b/>"}) {
    const Failure failure = failure_of(502, body);
    EXPECT_EQ(failure.status, 502);
    EXPECT_EQ(failure.code, "");
  }
}

TEST(Reply, RemoveRepliesAreRead) {
  EXPECT_TRUE(read_remove_reply("<DeleteResult/>").failed.empty());
  const RemoveReply reply = read_remove_reply(
      "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b&#10;c</Key><Code>AccessDenied</Code>"
      "<Message>no</Message></Error></DeleteResult>");
  EXPECT_EQ(reply.removed, std::vector<std::string>{"a"});
  ASSERT_EQ(reply.failed.size(), 1U);
  EXPECT_EQ(reply.failed[0].key, "b\nc");
  EXPECT_EQ(reply.failed[0].failure.code, "AccessDenied");
  for (const char* body :
       {"", "<Error/>", "<DeleteResult><Error><Code>X</Code></Error></DeleteResult>",
        "<DeleteResult><Error><Key>x</Key></Error></DeleteResult>", "<DeleteResult><Deleted/></DeleteResult>"}) {
    EXPECT_TRUE(is_bad_reply([&] { read_remove_reply(body); })) << body;
  }
}

TEST(Reply, ResultsMayBeErrorsInA200) {
  EXPECT_EQ(read_result_etag("<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>", "CopyObjectResult"), "x");
  EXPECT_EQ(read_result_etag("<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>",
                             "CompleteMultipartUploadResult"),
            "");
  EXPECT_EQ(read_result_etag("<Error><Code>InternalError</Code></Error>", "CopyObjectResult"), std::nullopt);
  EXPECT_TRUE(is_bad_reply([] { read_result_etag("<CopyObjectResult/>", "CopyObjectResult"); }));
  EXPECT_TRUE(is_bad_reply([] { read_result_etag("", "CopyObjectResult"); }));
  EXPECT_TRUE(is_bad_reply([] { read_upload_id("<InitiateMultipartUploadResult/>"); }));
}

TEST(Reply, ObjectHeadersAreRead) {
  const http::Response response{200,
                                {{"Content-Length", "42"},
                                 {"ETag", "\"e\""},
                                 {"Last-Modified", "Thu, 20 Nov 2025 01:02:03 GMT"},
                                 {"X-Amz-Meta-Author", "=?UTF-8?B?w6Q=?="},
                                 {"x-amz-meta-q", "=?utf-8?q?=C3=A4_b%?="},
                                 {"x-amz-storage-class", "STANDARD_IA"},
                                 {"Content-Type", "audio/wav"}},
                                {}};
  const ObjectInfo info = read_object_headers(response, "k");
  EXPECT_EQ(info.size, 42U);
  EXPECT_EQ(info.etag, "e");
  EXPECT_EQ(info.metadata, (Metadata{{"author", "\xc3\xa4"}, {"q", "\xc3\xa4 b%"}}));
  EXPECT_EQ(info.storage_class, "STANDARD_IA");
  EXPECT_EQ(info.content_type, "audio/wav");
  EXPECT_TRUE(is_bad_reply([] { read_object_headers({200, {{"content-type", "\xff"}}, {}}, "k"); }));
}

TEST(Reply, ContentRangesMustMakeSense) {
  const auto read = [](const char* value) { return read_content_range({206, {{"content-range", value}}, {}}); };
  EXPECT_EQ(read("bytes 5-9/20").total, 20U);
  for (const char* value : {"", "bytes */20", "bytes 9-5/20", "bytes 5-20/20", "bytes 5-9/*", "bytes 5-9", "5-9/20",
                            "bytes -9/20", "bytes 5-9/99999999999999999999999"}) {
    EXPECT_TRUE(is_bad_reply([&] { read(value); })) << value;
  }
}

// Whatever arrives is either read or refused as a bad reply.
TEST(Reply, DamagedRepliesNeverDoHarm) {
  const std::string sound = listing(item("a%2Bb") + item("b", "<StorageClass>X</StorageClass>") + item("c"), true,
                                    "<EncodingType>url</EncodingType>");
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = sound;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      const std::size_t at = random() % damaged.size();
      switch (random() % 4) {
        case 0: damaged[at] = static_cast<char>(random()); break;
        case 1: damaged.erase(at, random() % 20); break;
        case 2: damaged.insert(at, "&#0;<![CDATA[", random() % 13); break;
        default: damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 40)); break;
      }
      if (damaged.empty()) damaged = "<";
    }
    for (const auto& read :
         {+[](BytesView body) { read_listing(body, "", ""); }, +[](BytesView body) { read_remove_reply(body); },
          +[](BytesView body) {
            read_failure(http::Response{500, {}, Bytes(body)});
          }}) {
      try {
        read(damaged);
      } catch (const Error& error) {
        ASSERT_EQ(error.kind(), ErrorKind::bad_reply);
      }
    }
  }
}

}  // namespace
}  // namespace audiostore::store::s3
