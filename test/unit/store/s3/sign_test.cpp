// AWS's published examples:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
#include "store/s3/sign.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/time_format.hpp"

namespace audiostore::store::s3 {
namespace {

using namespace std::chrono_literals;

constexpr const char* kHost = "examplebucket.s3.amazonaws.com";
const TimePoint kAt = *parse_iso8601_basic("20130524T000000Z");

Credentials example() {
  return {"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret(), std::nullopt};
}

std::string authorization(const Target& target, const http::Headers& headers, BytesView body) {
  const Signer signer(example(), "us-east-1");
  const http::Headers added = signer.sign(target, headers, sha256(body), kAt);
  return std::string(http::find(added, "authorization").value_or(""));
}

std::string expected(const std::string& names, const std::string& signature) {
  return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + names +
         ",Signature=" + signature;
}

TEST(Sign, GetObjectAsPublished) {
  EXPECT_EQ(authorization({"GET", kHost, "/test.txt", ""}, {{"range", "bytes=0-9"}}, ""),
            expected("host;range;x-amz-content-sha256;x-amz-date",
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

TEST(Sign, PutObjectAsPublished) {
  EXPECT_EQ(authorization({"PUT", kHost, "/test%24file.text", ""},
                          {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                          "Welcome to Amazon S3."),
            expected("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(Sign, GetBucketLifecycleAsPublished) {
  EXPECT_EQ(authorization({"GET", kHost, "/", "lifecycle="}, {}, ""),
            expected("host;x-amz-content-sha256;x-amz-date",
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(Sign, ListObjectsAsPublished) {
  EXPECT_EQ(authorization({"GET", kHost, "/", "max-keys=2&prefix=J"}, {}, ""),
            expected("host;x-amz-content-sha256;x-amz-date",
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(Sign, AddsTheSessionToken) {
  Credentials credentials = example();
  credentials.session_token = Secret("token");
  const Signer signer(credentials, "us-east-1");
  const http::Headers added = signer.sign({"GET", kHost, "/x", ""}, {}, sha256(""), kAt);
  EXPECT_EQ(http::find(added, "x-amz-security-token"), "token");
  EXPECT_NE(http::find(added, "authorization")->find("x-amz-date;x-amz-security-token,"), std::string_view::npos);
}

TEST(Sign, HeaderNamesAndSpacesAreMadeCanonical) {
  const Target target{"GET", kHost, "/x", ""};
  EXPECT_EQ(authorization(target, {{"X-A", "  b   c "}}, ""), authorization(target, {{"x-a", "b c"}}, ""));
}

Presign request(const std::map<std::string, std::string>* headers = nullptr,
                const std::map<std::string, std::string>* query = nullptr) {
  return {.method = "GET",
          .origin = "https://examplebucket.s3.amazonaws.com",
          .host = kHost,
          .path = "/test.txt",
          .expires_in = 86400s,
          .at = kAt,
          .headers = headers,
          .query = query};
}

TEST(Presign, AsPublished) {
  EXPECT_EQ(Signer(example(), "us-east-1").presign(request()),
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST(Presign, ResultsDoNotDependOnWhatWasSignedBefore) {
  const Signer signer(example(), "us-east-1");
  const std::string first = signer.presign(request());
  for (const auto at : {kAt + 1s, kAt + 24h, kAt - 24h, kAt + 500ms}) {
    Presign other = request();
    other.at = at;
    EXPECT_EQ(signer.presign(other), Signer(example(), "us-east-1").presign(other));
    EXPECT_EQ(signer.presign(request()), first);
  }
}

TEST(Presign, ExtraParametersAreSortedIn) {
  const std::map<std::string, std::string> query{
      {"response-content-disposition", "attachment; filename=\"a b.wav\""}, {"A-first", "1"}, {"X-Amzn", "2"}};
  Credentials credentials = example();
  credentials.session_token = Secret("to/ken");
  const std::string url = Signer(credentials, "us-east-1").presign(request(nullptr, &query));
  std::vector<std::string> names;
  for (std::size_t at = url.find('?'); at != std::string::npos; at = url.find('&', at + 1)) {
    names.push_back(url.substr(at + 1, url.find('=', at) - at - 1));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"A-first", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date",
                                             "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-SignedHeaders", "X-Amzn",
                                             "response-content-disposition", "X-Amz-Signature"}));
  EXPECT_NE(url.find("attachment%3B%20filename%3D%22a%20b.wav%22"), std::string::npos);
  EXPECT_NE(url.find("to%2Fken"), std::string::npos);
}

TEST(Presign, ExtraHeadersAreSigned) {
  const std::map<std::string, std::string> headers{{"Content-Type", "audio/wav"}, {"x-amz-acl", "private"}};
  const std::string url = Signer(example(), "us-east-1").presign(request(&headers));
  EXPECT_NE(url.find("X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-acl&"), std::string::npos);
  EXPECT_EQ(url.find("aeeed9bb"), std::string::npos);
}

TEST(Presign, RefusesWhatCannotBeSigned) {
  const Signer signer(example(), "us-east-1");
  for (const auto expires : {0s, -1s, 604801s}) {
    Presign long_lived = request();
    long_lived.expires_in = expires;
    EXPECT_THROW(signer.presign(long_lived), Error);
  }
  for (const auto& headers : {std::map<std::string, std::string>{{"Host", "x"}},
                              {{"a b", "x"}},
                              {{"", "x"}},
                              {{"a", "x\r\ny"}},
                              {{"A", "x"}, {"a", "y"}}}) {
    EXPECT_THROW(signer.presign(request(&headers)), Error);
  }
  for (const auto& query :
       {std::map<std::string, std::string>{{"X-Amz-Expires", "9"}}, {{"x-amz-date", "9"}}, {{"", "9"}}}) {
    EXPECT_THROW(signer.presign(request(nullptr, &query)), Error);
  }
}

}  // namespace
}  // namespace audiostore::store::s3
