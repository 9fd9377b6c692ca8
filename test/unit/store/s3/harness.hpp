// A store under test: its options, and tasks run to their end with a bound on how long that may take.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "http/client.hpp"
#include "store/s3/store.hpp"

namespace audiostore::store::s3 {

class FixedRandom final : public Random {
 public:
  std::uint64_t bits() override { return 0; }  // no delay before a repetition
};

class Harness {
 public:
  explicit Harness(std::string endpoint) : client_(http::make_curl_client({16, 64})) {
    std::signal(SIGPIPE, SIG_IGN);
    config_.name = "media";
    config_.provider = "s3";
    config_.options = {{"bucket", "audio"}, {"region", "us-east-1"}, {"endpoint", std::move(endpoint)}};
    config_.credentials.emplace("access_key_id", Secret("test"));
    config_.credentials.emplace("secret_access_key", Secret("testsecret"));
    config_.common.request_timeout = std::chrono::seconds{10};
  }

  std::unique_ptr<S3Store> open(Limits limits = {}, Machine machine = this_machine()) {
    const S3Options options = read_options(config_);
    return std::make_unique<S3Store>(config_, Surroundings{client_.get(), &clock_, &random_},
                                     make_credential_source(config_.credentials, options.region, std::move(machine)),
                                     limits);
  }

  template <class T>
  T run(Task<T> task) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes{2};
    return http::run(*client_, std::move(task), -1, [&] {
      if (std::chrono::steady_clock::now() > deadline) throw Error(ErrorKind::internal, "the test hangs");
    });
  }

  template <class T>
  Error failure(Task<T> task) {
    try {
      run(std::move(task));
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorKind::internal, "none"};
  }

  Config config_;
  std::unique_ptr<http::Client> client_;
  SystemClock clock_;
  FixedRandom random_;
};

}  // namespace audiostore::store::s3
