#include "store/s3/credentials.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/time_format.hpp"
#include "http/scripted_server.hpp"
#include "store/s3/harness.hpp"

namespace audiostore::store::s3 {
namespace {

using namespace std::chrono_literals;
using test::Reply;
using test::ScriptedServer;
using test::SeenRequest;
using testing::HasSubstr;

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() : harness_(server_.url()) {
    mapping_.emplace("credentials", Secret("instance"));
    machine_.environment = [this](const char* name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    machine_.metadata_url = machine_.container_url = machine_.token_service_url = server_.url();
  }

  std::string json(const std::string& key, TimePoint expires) {
    return R"({"Code":"Success","AccessKeyId":")" + key + R"(","SecretAccessKey":"s","Token":"t","Expiration":")" +
           iso8601(expires) + "\"}";
  }
  Credentials fetch() {
    auto source = make_credential_source(mapping_, "eu-west-1", machine_);
    harness_.run(source->refresh(harness_.client_.get(), harness_.clock_.now()));
    return *source->at_hand();
  }
  Error fetch_failure() {
    auto source = make_credential_source(mapping_, "eu-west-1", machine_);
    return harness_.failure(source->refresh(harness_.client_.get(), harness_.clock_.now()));
  }
  std::string token_file(const std::string& content) {
    char path[] = "/tmp/audiostore-token-XXXXXX";
    close(mkstemp(path));
    std::ofstream(path) << content;
    return path;
  }

  ScriptedServer server_;
  Harness harness_;
  Secrets mapping_;
  Machine machine_;
  std::map<std::string, std::string> variables_;
};

TEST_F(CredentialsTest, FromTheMapping) {
  const Secrets keys{
      {"access_key_id", Secret("id")}, {"secret_access_key", Secret("s")}, {"session_token", Secret("t")}};
  const auto source = make_credential_source(keys, "eu-west-1", machine_);
  EXPECT_EQ(source->at_hand()->access_key_id, "id");
  EXPECT_EQ(source->at_hand()->session_token.reveal(), "t");
  EXPECT_TRUE(source->fresh(harness_.clock_.now()));
  EXPECT_FALSE(source->can_refresh());
  EXPECT_THROW(make_credential_source({}, "eu-west-1", machine_), Error);
}

TEST_F(CredentialsTest, FromTheEnvironment) {
  mapping_["credentials"] = Secret("env");
  EXPECT_THROW(make_credential_source(mapping_, "eu-west-1", machine_), Error);
  variables_ = {{"AWS_ACCESS_KEY_ID", "id"}, {"AWS_SECRET_ACCESS_KEY", "s"}};
  EXPECT_EQ(make_credential_source(mapping_, "eu-west-1", machine_)->at_hand()->access_key_id, "id");
}

TEST_F(CredentialsTest, FromTheInstanceWithASessionToken) {
  const TimePoint expires = *parse_iso8601("2040-01-02T03:04:05Z");
  server_.then({.body = "imds-token"});
  server_.then({.body = "my-role"});
  server_.then({.body = json("ASIA", expires)});
  const Credentials credentials = fetch();
  EXPECT_EQ(credentials.access_key_id, "ASIA");
  EXPECT_EQ(credentials.session_token.reveal(), "t");
  EXPECT_EQ(credentials.expires, expires);
  const auto seen = server_.requests();
  EXPECT_EQ(seen.at(0).method, "PUT");
  EXPECT_EQ(seen.at(0).target, "/latest/api/token");
  EXPECT_EQ(seen.at(1).headers.at("x-aws-ec2-metadata-token"), "imds-token");
  EXPECT_EQ(seen.at(2).target, "/latest/meta-data/iam/security-credentials/my-role");
}

TEST_F(CredentialsTest, FromTheContainer) {
  variables_ = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"},
                {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "bearer"}};
  server_.then({.body = json("CONT", *parse_iso8601("2040-01-02T03:04:05Z"))});
  EXPECT_EQ(fetch().access_key_id, "CONT");
  EXPECT_EQ(server_.requests().back().target, "/v2/credentials/x");
  EXPECT_EQ(server_.requests().back().headers.at("authorization"), "bearer");

  const std::string file = token_file("from file\n");
  variables_ = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", server_.url() + "/full"},
                {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file}};
  server_.then({.body = json("FULL", *parse_iso8601("2040-01-02T03:04:05Z"))});
  EXPECT_EQ(fetch().access_key_id, "FULL");
  EXPECT_EQ(server_.requests().back().headers.at("authorization"), "from file");
  unlink(file.c_str());

  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://10.0.0.1/full";
  EXPECT_EQ(fetch_failure().kind(), ErrorKind::access_denied);
}

TEST_F(CredentialsTest, FromAWebIdentity) {
  const std::string file = token_file("jwt&token");
  variables_ = {{"AWS_WEB_IDENTITY_TOKEN_FILE", file}, {"AWS_ROLE_ARN", "arn:aws:iam::1:role/x"}};
  server_.then({.body =
                    "<AssumeRoleWithWebIdentityResponse xmlns=\"urn:x\"><AssumeRoleWithWebIdentityResult><Credentials>"
                    "<AccessKeyId>WEB</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
                    "<Expiration>2040-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
                    "</AssumeRoleWithWebIdentityResponse>"});
  EXPECT_EQ(fetch().access_key_id, "WEB");
  EXPECT_THAT(server_.requests().back().body, HasSubstr("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx"));
  EXPECT_THAT(server_.requests().back().body, HasSubstr("WebIdentityToken=jwt%26token"));
  EXPECT_EQ(server_.requests().back().headers.at("content-type"), "application/x-www-form-urlencoded");
  unlink(file.c_str());
  EXPECT_EQ(fetch_failure().kind(), ErrorKind::access_denied);
}

TEST_F(CredentialsTest, NonsenseIsNotTakenForCredentials) {
  variables_ = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}};
  for (const char* body : {"", "[]", "{}", "not json", R"({"AccessKeyId":1,"SecretAccessKey":"sesame"})",
                           R"({"AccessKeyId":"a","SecretAccessKey":"sesame","Expiration":"soon"})"}) {
    server_.then({.body = body});
    const Error error = fetch_failure();
    EXPECT_EQ(error.kind(), ErrorKind::bad_reply) << body;
    EXPECT_EQ((error.message() + error.detail()).find("sesame"), std::string::npos);
  }
  server_.then({.status = 403});
  EXPECT_EQ(fetch_failure().kind(), ErrorKind::access_denied);
  server_.then({.status = 500});
  EXPECT_EQ(fetch_failure().kind(), ErrorKind::unavailable);
}

TEST_F(CredentialsTest, AStoreRenewsThemBeforeTheyExpire) {
  harness_.config_.credentials = mapping_;
  variables_ = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/credentials"}};
  std::atomic<int> fetched{0};
  std::atomic<int> minutes{1};  // less than five: renewed with each request, but good if that fails
  std::atomic<bool> down{false};
  server_.otherwise([&](const SeenRequest& request) -> Reply {
    if (request.target != "/credentials") return {.status = request.method == "HEAD" ? 200 : 204};
    ++fetched;
    if (down) return {.status = 500};
    return {.body = json("KEY" + std::to_string(fetched), harness_.clock_.now() + std::chrono::minutes{minutes})};
  });
  auto store = harness_.open({}, machine_);
  SignedUrlRequest url;
  url.key = "k";
  url.at = harness_.clock_.now();
  EXPECT_THROW(static_cast<void>(store->signed_url(url)), Error);
  harness_.run(store->head("k"));
  EXPECT_THAT(server_.requests().back().headers.at("authorization"), HasSubstr("KEY1/"));
  EXPECT_THAT(store->signed_url(url), HasSubstr("KEY1"));
  harness_.run(store->head("k"));
  EXPECT_THAT(server_.requests().back().headers.at("authorization"), HasSubstr("KEY2/"));
  down = true;
  harness_.run(store->head("k"));
  EXPECT_THAT(server_.requests().back().headers.at("authorization"), HasSubstr("KEY2/"));
  down = false;
  minutes = 60;
  harness_.run(store->head("k"));
  const int before = fetched;
  harness_.run(store->head("k"));
  EXPECT_EQ(fetched, before);
}

TEST_F(CredentialsTest, ATokenThatExpiredEarlyIsRenewedOnce) {
  harness_.config_.credentials = mapping_;
  variables_ = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/credentials"}};
  int fetched = 0;
  server_.otherwise([&](const SeenRequest& request) -> Reply {
    if (request.target == "/credentials") {
      return {.body = json("KEY" + std::to_string(++fetched), harness_.clock_.now() + 1h)};
    }
    const bool old = request.headers.at("authorization").find("KEY1/") != std::string::npos;
    if (old) return {.status = 400, .body = "<Error><Code>ExpiredToken</Code></Error>"};
    return {.headers = {{"ETag", "\"e\""}}};
  });
  auto store = harness_.open({}, machine_);
  harness_.run(store->put("k", "x", {}));
  EXPECT_EQ(fetched, 2);
}

}  // namespace
}  // namespace audiostore::store::s3
