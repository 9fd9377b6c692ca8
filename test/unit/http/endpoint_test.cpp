#include "http/endpoint.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace audiostore::http {
namespace {

TEST(Endpoint, TakesSchemeHostAndPort) {
  EXPECT_EQ(parse_endpoint("endpoint", "https://S3.Example.com").url(), "https://s3.example.com");
  EXPECT_EQ(parse_endpoint("endpoint", "https://s3.example.com:443/").url(), "https://s3.example.com");
  EXPECT_EQ(parse_endpoint("endpoint", "https://s3.example.com:8443").authority(), "s3.example.com:8443");
  EXPECT_EQ(parse_endpoint("endpoint", "http://localhost:80").authority(), "localhost");
  EXPECT_EQ(parse_endpoint("endpoint", "http://[::1]:9000").authority(), "[::1]:9000");
  EXPECT_TRUE(parse_endpoint("endpoint", "http://[::1]:9000").is_ip_address());
  EXPECT_TRUE(parse_endpoint("endpoint", "http://127.0.0.1").is_ip_address());
  EXPECT_FALSE(parse_endpoint("endpoint", "http://localhost").is_ip_address());
}

TEST(Endpoint, RefusesAnythingElse) {
  for (const char* value :
       {"", "s3.example.com", "ftp://s3.example.com", "https://", "https://a b", "https://s3.example.com/path",
        "https://user:secret@s3.example.com", "https://s3.example.com?x", "https://s3.example.com:0",
        "https://s3.example.com:99999", "https://s3.example.com:", "https://s3.example.com:80x", "https://[::1",
        "https://[nonsense]", "https://.example.com", "https://a..b", "https://a.", "https://a\nb", "https://[::1]x"}) {
    EXPECT_THROW(parse_endpoint("endpoint", value), Error) << value;
  }
}

TEST(Endpoint, PlainHttpIsForPrivateNetworksOnly) {
  for (const char* host :
       {"localhost", "bucket.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "10.1.2.3", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "[fd00::1]", "[fe80::1]", "[::ffff:10.0.0.1]", "minio", "store.internal", "nas.local"}) {
    EXPECT_NO_THROW(parse_endpoint("endpoint", "http://" + std::string(host) + ":9000")) << host;
  }
  for (const char* host : {"s3.example.com", "8.8.8.8", "172.32.0.1", "192.169.0.1", "11.0.0.1", "[2001:db8::1]",
                           "[::ffff:8.8.8.8]", "134744072", "0x8080808", "127.1", "10.8", "notlocalhost.com"}) {
    try {
      parse_endpoint("endpoint", "http://" + std::string(host));
      ADD_FAILURE() << host;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_option);
      EXPECT_NE(error.hint().find("https"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace audiostore::http
