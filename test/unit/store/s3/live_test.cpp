// The driver against a real S3 server, where AUDIOSTORE_TEST_S3_ENDPOINT names one (with
// AUDIOSTORE_TEST_S3_ACCESS_KEY and AUDIOSTORE_TEST_S3_SECRET_KEY; default: test, testsecret). The tests make a
// bucket of their own. With AUDIOSTORE_TEST_S3_CLASS (a second storage class) changes of class are tried too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "base/time_format.hpp"
#include "store/s3/harness.hpp"

namespace audiostore::store::s3 {
namespace {

std::string environment(const char* name, const char* otherwise = "") {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

class LiveS3Test : public testing::Test, protected Harness {
 protected:
  LiveS3Test() : Harness(environment("AUDIOSTORE_TEST_S3_ENDPOINT", "http://localhost")) {}

  void SetUp() override {
    if (environment("AUDIOSTORE_TEST_S3_ENDPOINT").empty()) GTEST_SKIP() << "AUDIOSTORE_TEST_S3_ENDPOINT is not set";
    static const std::string bucket =
        "unit-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    config_.options["bucket"] = bucket;
    config_.credentials["access_key_id"] = Secret(environment("AUDIOSTORE_TEST_S3_ACCESS_KEY", "test"));
    config_.credentials["secret_access_key"] = Secret(environment("AUDIOSTORE_TEST_S3_SECRET_KEY", "testsecret"));
    config_.common.prefix = std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + "/";
    static const bool made = make_bucket(bucket);
    ASSERT_TRUE(made);
    store_ = open();
  }

  bool make_bucket(const std::string& name) {
    const S3Options options = read_options(config_);
    const Signer signer({environment("AUDIOSTORE_TEST_S3_ACCESS_KEY", "test"),
                         Secret(environment("AUDIOSTORE_TEST_S3_SECRET_KEY", "testsecret")), Secret(), std::nullopt},
                        options.region);
    http::Request request;
    request.method = http::Method::put;
    request.url = options.location.origin() + "/" + name;
    request.headers = signer.sign({"PUT", options.location.host, "/" + name, ""}, {}, sha256(""), clock_.now());
    return run(client_->send(std::move(request))).ok();
  }

  std::string get(S3Store& store, const std::string& key, Range range = {}) {
    std::string body;
    run(store.get(key, range, [&](BytesView piece) { body += piece; }));
    return body;
  }
  std::vector<std::string> keys(S3Store& store, ListQuery query = {}) {
    std::vector<std::string> found;
    for (;;) {
      ListPage page = run(store.list(query));
      for (const ObjectInfo& object : page.objects) found.push_back(object.key);
      if (!page.more) return found;
      query.after = page.resume;
    }
  }
  std::string signed_get(const S3Store& store, const std::string& key) {
    SignedUrlRequest request;
    request.key = key;
    request.at = clock_.now();
    return store.signed_url(request);
  }
  http::Response fetch(http::Method method, const std::string& url, Bytes body = {}, http::Headers headers = {}) {
    http::Request request;
    request.method = method;
    request.url = url;
    request.body = std::move(body);
    request.headers = std::move(headers);
    return run(client_->send(std::move(request)));
  }

  std::unique_ptr<S3Store> store_;
};

const std::vector<std::string> kStrangeKeys{
    "plain.wav",
    "with space and  two",
    "plus+plus",
    "percent%41%2F%",
    "/leading",
    "a//double///slash",
    "trailing/",
    "quote'\"<&>;",
    "line\nbreak\r\ttab",
    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xb5.ogg",
    "control\x01\x1f.wav",
    "a*b(c)!d~e,f:g;h=i@j$k&l?m#n[o]p{q}r|s\\t^u`v",
    "dots/../up/./here",
    "..",
    "\xef\xbf\xbf",
};

TEST_F(LiveS3Test, StrangeKeysLiveTheWholeLife) {
  std::vector<std::string> stored;
  for (const std::string& key : kStrangeKeys) {
    const std::string body = "body of " + key;
    const ObjectInfo put = run(store_->put(key, body, {"audio/wav", {{"origin", "unit t\xc3\xa4st"}}, ""}));
    EXPECT_EQ(put.etag, hex(view(md5(body)))) << key;
    const auto head = run(store_->head(key));
    ASSERT_TRUE(head) << key;
    EXPECT_EQ(head->size, body.size());
    EXPECT_EQ(head->content_type, "audio/wav");
    EXPECT_EQ(head->metadata, (Metadata{{"origin", "unit t\xc3\xa4st"}}));
    EXPECT_EQ(get(*store_, key), body) << key;
    const std::string url = signed_get(*store_, key);
    EXPECT_EQ(fetch(http::Method::get, url).body, body) << url;
    stored.push_back(key);
  }
  std::sort(stored.begin(), stored.end());
  EXPECT_EQ(keys(*store_), stored);
  EXPECT_EQ(keys(*store_, {"", "", 3}), stored);
  for (const std::string& key : kStrangeKeys) {
    run(store_->copy(key, *store_, "copy of/" + key));
    EXPECT_EQ(get(*store_, "copy of/" + key), "body of " + key);
  }
  for (const RemoveOutcome& outcome : run(store_->remove(kStrangeKeys))) {
    EXPECT_FALSE(outcome.error) << outcome.key << ": " << outcome.error->detail();
  }
  for (const std::string& key : keys(*store_)) EXPECT_TRUE(key.starts_with("copy of/")) << key;
  EXPECT_EQ(keys(*store_).size(), stored.size());
}

TEST_F(LiveS3Test, AThousandKeysGoAtOnce) {
  std::vector<std::string> all;
  all.reserve(1000);
  for (int i = 0; i < 1000; ++i) all.push_back("many/" + std::to_string(10000 + i) + " & <co>");
  std::size_t next = 0;
  const auto lane = [](S3Store* store, std::vector<std::string>* list, std::size_t* at) -> Task<void> {
    while (*at < list->size()) {
      Task<ObjectInfo> putting = store->put((*list)[(*at)++], "x", {});
      co_await putting;
    }
  };
  std::vector<Task<void>> lanes;
  for (int i = 0; i < 16; ++i) {
    lanes.push_back(lane(store_.get(), &all, &next));
    lanes.back().start();
  }
  while (client_->in_flight() > 0) client_->poll(std::chrono::milliseconds{100}, -1);
  for (auto& each : lanes) each.take();
  EXPECT_EQ(keys(*store_, {"many/", "", 1000}), all);
  EXPECT_EQ(keys(*store_, {"many/1000", "", 4}).size(), 10U);
  EXPECT_EQ(keys(*store_, {"many/", all[989], 7}).size(), 10U);
  std::vector<std::string> batch = all;
  batch[500] = "never there";
  for (const RemoveOutcome& outcome : run(store_->remove(batch))) EXPECT_FALSE(outcome.error);
  EXPECT_EQ(keys(*store_), (std::vector<std::string>{all[500]}));
}

TEST_F(LiveS3Test, LargeObjectsGoInParts) {
  std::string data(std::size_t{23} << 20, 'd');
  for (std::size_t i = 0; i < data.size(); i += 4096) data[i] = static_cast<char>(i / 4096);
  const ObjectInfo put = run(store_->put("large", data, {"audio/flac", {{"a", "b"}}, ""}));
  EXPECT_EQ(put.size, data.size());
  EXPECT_TRUE(get(*store_, "large") == data);
  const auto head = run(store_->head("large"));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->content_type, "audio/flac");
  EXPECT_EQ(head->metadata, (Metadata{{"a", "b"}}));
  Limits small;
  small.copy_in_parts_above = std::uint64_t{5} << 20;
  small.copy_part_size = std::uint64_t{6} << 20;
  auto in_parts = open(small);
  run(in_parts->copy("large", *in_parts, "large copy"));
  EXPECT_TRUE(get(*store_, "large copy") == data);
  const auto copied = run(store_->head("large copy"));
  ASSERT_TRUE(copied);
  EXPECT_EQ(copied->content_type, "audio/flac");
  EXPECT_EQ(copied->metadata, (Metadata{{"a", "b"}}));
}

TEST_F(LiveS3Test, RangesAreExact) {
  run(store_->put("digits", "0123456789", {}));
  run(store_->put("empty", "", {}));
  EXPECT_EQ(get(*store_, "digits", {2, 3}), "234");
  EXPECT_EQ(get(*store_, "digits", {7, {}}), "789");
  EXPECT_EQ(get(*store_, "digits", {7, 100}), "789");
  EXPECT_EQ(get(*store_, "digits", {7, 0}), "");
  EXPECT_EQ(get(*store_, "digits", {0, UINT64_MAX}), "0123456789");
  EXPECT_EQ(get(*store_, "empty"), "");
  EXPECT_EQ(get(*store_, "empty", {0, 5}), "");
  EXPECT_EQ(failure(store_->get("digits", {10, 1}, [](BytesView) {})).kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(store_->get("digits", {10, {}}, [](BytesView) {})).kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(store_->get("empty", {1, {}}, [](BytesView) {})).kind(), ErrorKind::invalid_argument);
}

TEST_F(LiveS3Test, WhatIsMissingIsToldApart) {
  EXPECT_EQ(run(store_->head("nothing")), std::nullopt);
  EXPECT_EQ(failure(store_->get("nothing", {}, [](BytesView) {})).kind(), ErrorKind::not_found);
  EXPECT_EQ(failure(store_->copy("nothing", *store_, "else")).kind(), ErrorKind::not_found);
  config_.options["bucket"] = "no-such-bucket-here";
  auto nowhere = open();
  EXPECT_EQ(failure(nowhere->head("x")).kind(), ErrorKind::no_such_bucket);
  EXPECT_EQ(failure(nowhere->get("x", {}, [](BytesView) {})).kind(), ErrorKind::no_such_bucket);
  EXPECT_EQ(failure(nowhere->list({})).kind(), ErrorKind::no_such_bucket);
  EXPECT_EQ(failure(nowhere->put("x", "y", {})).kind(), ErrorKind::no_such_bucket);
  EXPECT_EQ(failure(nowhere->remove({"x"})).kind(), ErrorKind::no_such_bucket);
}

TEST_F(LiveS3Test, WrongKeysAreDenied) {
  config_.credentials["secret_access_key"] = Secret("wrong");
  auto stranger = open();
  const Error error = failure(stranger->list({}));
  EXPECT_EQ(error.kind(), ErrorKind::access_denied);
  EXPECT_EQ((error.message() + error.detail() + error.hint()).find("wrong"), std::string::npos);
  EXPECT_EQ(failure(stranger->put("x", "y", {})).kind(), ErrorKind::access_denied);
  EXPECT_EQ(failure(stranger->head("x")).kind(), ErrorKind::access_denied);
  config_.credentials["access_key_id"] = Secret("nobody");
  EXPECT_EQ(failure(open()->list({})).kind(), ErrorKind::access_denied);
}

TEST_F(LiveS3Test, BucketsAreAddressedVirtually) {
  const std::string endpoint = config_.options["endpoint"];
  config_.options["endpoint"] = "http://localhost" + endpoint.substr(endpoint.rfind(':'));
  config_.options["addressing"] = "virtual";
  auto by_name = open();
  run(by_name->put("virtual key+", "v", {}));
  EXPECT_EQ(get(*by_name, "virtual key+"), "v");
  EXPECT_EQ(keys(*by_name), std::vector<std::string>{"virtual key+"});
  const std::string url = signed_get(*by_name, "virtual key+");
  EXPECT_TRUE(url.starts_with("http://" + config_.options["bucket"] + ".localhost:")) << url;
  EXPECT_EQ(fetch(http::Method::get, url).body, "v");
  EXPECT_FALSE(run(by_name->remove({"virtual key+"})).at(0).error);
  EXPECT_EQ(run(by_name->head("virtual key+")), std::nullopt);
}

TEST_F(LiveS3Test, SignedUrlsWorkForOthersAndExpire) {
  const auto sign = [&](const char* method, TimePoint at) {
    return store_->signed_url({.method = method,
                               .key = "signed",
                               .expires_in = std::chrono::seconds{60},
                               .headers = std::string(method) == "PUT"
                                              ? std::map<std::string, std::string>{{"Content-Type", "audio/wav"}}
                                              : std::map<std::string, std::string>{},
                               .query = {},
                               .at = at});
  };
  const TimePoint now = clock_.now();
  EXPECT_EQ(fetch(http::Method::put, sign("PUT", now), "mine", {{"content-type", "audio/wav"}}).status, 200);
  EXPECT_EQ(fetch(http::Method::put, sign("PUT", now), "other", {{"content-type", "audio/mpeg"}}).status, 403);
  EXPECT_EQ(fetch(http::Method::get, sign("GET", now)).body, "mine");
  EXPECT_EQ(fetch(http::Method::head, sign("HEAD", now)).status, 200);
  EXPECT_EQ(fetch(http::Method::get, sign("GET", now) + "0").status, 403);
  EXPECT_EQ(fetch(http::Method::get, sign("GET", now - std::chrono::hours{2})).status, 403);
  const std::string download =
      store_->signed_url({.key = "signed",
                          .headers = {},
                          .query = {{"response-content-disposition", "attachment; filename=\"a b.wav\""}},
                          .at = now});
  EXPECT_EQ(http::find(fetch(http::Method::get, download).headers, "content-disposition"),
            "attachment; filename=\"a b.wav\"");
  EXPECT_EQ(fetch(http::Method::del, sign("DELETE", now)).status, 204);
  EXPECT_EQ(run(store_->head("signed")), std::nullopt);
}

TEST_F(LiveS3Test, StorageClassesChange) {
  const std::string other = environment("AUDIOSTORE_TEST_S3_CLASS");
  if (other.empty()) GTEST_SKIP() << "AUDIOSTORE_TEST_S3_CLASS is not set";
  run(store_->put("a", "x", {"audio/wav", {{"m", "1"}}, ""}));
  EXPECT_EQ(run(store_->head("a"))->storage_class, "STANDARD");
  for (int i = 0; i < 2; ++i) run(store_->set_storage_class("a", other));
  EXPECT_EQ(run(store_->head("a"))->storage_class, other);
  EXPECT_EQ(run(store_->head("a"))->metadata, (Metadata{{"m", "1"}}));
  EXPECT_EQ(run(store_->head("a"))->content_type, "audio/wav");
  run(store_->put("b", "x", {"", {}, other}));
  const ListPage page = run(store_->list({}));
  ASSERT_EQ(page.objects.size(), 2U);
  EXPECT_EQ(page.objects[1].storage_class, other);
  run(store_->set_storage_class("a", "STANDARD"));
  EXPECT_EQ(run(store_->head("a"))->storage_class, "STANDARD");
  EXPECT_EQ(failure(store_->set_storage_class("nothing", other)).kind(), ErrorKind::not_found);
  config_.options["storage_class"] = other;
  auto cold = open();
  run(cold->put("c", "x", {}));
  EXPECT_EQ(run(store_->head("c"))->storage_class, other);
  Limits small;
  small.copy_in_parts_above = 0;
  run(open(small)->set_storage_class("b", "STANDARD"));
  EXPECT_EQ(run(store_->head("b"))->storage_class, "STANDARD");
}

}  // namespace
}  // namespace audiostore::store::s3
