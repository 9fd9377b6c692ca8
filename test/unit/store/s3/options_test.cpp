#include "store/s3/options.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace audiostore::store::s3 {
namespace {

S3Options read(Options options, std::string public_url = {}) {
  Config config;
  config.name = "media";
  config.options = std::move(options);
  config.common.public_url = std::move(public_url);
  return read_options(config);
}

void refuses(const Options& options, const std::string& word, bool complete = true) {
  try {
    check_server_options(options, complete);
    ADD_FAILURE() << "accepted; expected a complaint about " << word;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_option);
    EXPECT_NE((error.message() + error.detail() + error.hint()).find(word), std::string::npos) << error.message();
  }
}

TEST(S3Options, AwsIsAddressedVirtually) {
  const S3Options s3 = read({{"bucket", "audio"}, {"region", "eu-west-1"}});
  EXPECT_EQ(s3.location.origin(), "https://audio.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(s3.location.base_path, "");
  EXPECT_EQ(read({{"bucket", "audio"}, {"region", "cn-north-1"}}).location.host,
            "audio.s3.cn-north-1.amazonaws.com.cn");
}

TEST(S3Options, ADottedBucketIsAddressedByPathUnderTls) {
  const S3Options s3 = read({{"bucket", "audio.example"}, {"region", "eu-west-1"}});
  EXPECT_EQ(s3.location.origin(), "https://s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(s3.location.base_path, "/audio.example");
}

TEST(S3Options, OtherServersAreAddressedByPathUnlessToldOtherwise) {
  EXPECT_EQ(read({{"bucket", "audio"}, {"endpoint", "http://localhost:9000"}}).location.base_path, "/audio");
  const S3Options s3 = read({{"bucket", "audio"}, {"endpoint", "http://localhost:9000"}, {"addressing", "virtual"}});
  EXPECT_EQ(s3.location.host, "audio.localhost:9000");
  EXPECT_EQ(s3.location.base_path, "");
  EXPECT_EQ(s3.region, "us-east-1");
}

TEST(S3Options, SignedUrlsMayNameAnotherHost) {
  const Options options{{"bucket", "audio"}, {"endpoint", "http://minio:9000"}};
  EXPECT_EQ(read(options, "https://media.example.com").public_location.origin(), "https://media.example.com");
  EXPECT_EQ(read(options, "http://media.example.com").public_location.origin(), "http://media.example.com");
  EXPECT_EQ(read(options, "http://media.example.com:8080").public_location.host, "media.example.com:8080");
  EXPECT_EQ(read(options).public_location.origin(), "http://minio:9000");
}

TEST(S3Options, NamesTheBadOption) {
  refuses({}, "bucket");
  refuses({{"bucket", "audio"}}, "region");
  refuses({{"bucket", "a"}}, "bucket", false);
  refuses({{"bucket", "a/b/c"}}, "bucket", false);
  refuses({{"region", "eu west"}}, "region", false);
  refuses({{"endpoint", "http://s3.example.com"}}, "https", false);
  refuses({{"addressing", "both"}}, "virtual and path", false);
  refuses({{"sse", "DES"}}, "AES256", false);
  refuses({{"sse", "aws:kms:"}}, "sse", false);
  refuses({{"storage_class", "not a class"}}, "storage_class", false);
  refuses({{"bucket", "audio"}, {"endpoint", "http://127.0.0.1:9000"}, {"addressing", "virtual"}}, "IP address");
  refuses({{"bucket", "Audio_1"}, {"endpoint", "http://localhost"}, {"addressing", "virtual"}}, "host name");
  EXPECT_NO_THROW(check_server_options({{"region", "eu-west-1"}}, false));
  EXPECT_NO_THROW(check_server_options({{"bucket", "Audio_1"}, {"endpoint", "http://localhost"}}, true));
  EXPECT_NO_THROW(check_server_options({{"sse", "aws:kms:arn:aws:kms:eu-west-1:1:key/2"}}, false));
}

TEST(S3Options, UserMappingsHaveKeysOrASource) {
  EXPECT_NO_THROW(check_mapping_options({{"access_key_id", "a"}, {"secret_access_key", "b"}}));
  EXPECT_NO_THROW(check_mapping_options({{"access_key_id", "a"}, {"secret_access_key", "b"}, {"session_token", "c"}}));
  EXPECT_NO_THROW(check_mapping_options({{"credentials", "instance"}}));
  EXPECT_NO_THROW(check_mapping_options({{"credentials", "env"}}));
  for (const Options& options :
       {Options{}, Options{{"access_key_id", "a"}}, Options{{"secret_access_key", "b"}},
        Options{{"access_key_id", "a"}, {"secret_access_key", ""}}, Options{{"credentials", "magic"}},
        Options{{"credentials", "env"}, {"access_key_id", "a"}, {"secret_access_key", "b"}},
        Options{{"access_key_id", "a\nb"}, {"secret_access_key", "sesame"}}}) {
    try {
      check_mapping_options(options);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_option);
      EXPECT_EQ((error.message() + error.detail() + error.hint()).find("sesame"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace audiostore::store::s3
