// A bucket as a store. Requests are built, signed, sent and read in four files of their own (requests, sign,
// http, reply); here they are put together.
//
// What is repeated: reads, and the parts of a multipart upload or copy, a few times over short delays. Single
// puts, copies and deletes are not: whoever asked for them counts their attempts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/retry.hpp"
#include "store/config.hpp"
#include "store/s3/credentials.hpp"
#include "store/s3/options.hpp"
#include "store/s3/requests.hpp"
#include "store/s3/sign.hpp"
#include "store/store.hpp"

namespace audiostore::store::s3 {

// Sizes at which the driver changes its ways; tests shrink them.
struct Limits {
  std::uint64_t multipart_above = std::uint64_t{16} << 20;
  std::uint64_t part_size = std::uint64_t{8} << 20;            // grows so that no upload has more than max_parts
  std::uint64_t copy_in_parts_above = std::uint64_t{5} << 30;  // S3's own limit for CopyObject
  std::uint64_t copy_part_size = std::uint64_t{128} << 20;
  std::uint64_t max_parts = 10000;
  std::size_t parallel_parts = 4;
  int attempts = 3;
  Milliseconds first_delay{100};
};

class S3Store final : public Store {
 public:
  S3Store(const Config& config, Surroundings surroundings, std::unique_ptr<CredentialSource> source,
          Limits limits = {});

  Task<ObjectInfo> put(std::string key, Body body, PutOptions options) override;
  Task<ObjectInfo> get(std::string key, Range range, Sink sink) override;
  Task<std::optional<ObjectInfo>> head(std::string key) override;
  Task<ListPage> list(ListQuery query) override;
  Task<std::vector<RemoveOutcome>> remove(std::vector<std::string> keys) override;
  Task<void> copy(std::string key, const Store& to, std::string to_key) override;
  Task<void> set_storage_class(std::string key, std::string storage_class) override;
  std::string signed_url(const SignedUrlRequest& request) const override;
  void check_key(std::string_view key) const override { static_cast<void>(full_key(key)); }
  bool can_copy_to(const Store& to) const override;
  std::size_t max_remove_batch() const override { return 1000; }

 private:
  enum class Repeat { no, yes };

  // How one call is sent, besides what it says.
  struct Sending {
    Repeat repeat = Repeat::no;
    Milliseconds more_time{0};  // on top of request_timeout
    std::function<void(BytesView)> sink;
    std::function<void(const http::Response&)> inspect;
  };

  struct CopyJob {
    std::string from_key;  // whole keys, prefix included
    const S3Store* to = nullptr;
    std::string to_key;
    std::string storage_class;
    http::Response head;  // of the source
  };

  // exchange.cpp
  // Signs, sends, repeats where allowed; completes with any reply that is final.
  Task<http::Response> exchange(Call call, Sending sending) const;
  http::Request build(const Call& call, const Sending& sending, const Signer& signer) const;
  // exchange(), then throws the reply's error under the heading `what`.
  Task<http::Response> expect_ok(Call call, Sending sending, std::string what) const;
  Task<const Signer*> signer() const;
  const Signer& signer_at_hand() const;

  // store.cpp
  std::string full_key(std::string_view key) const;
  std::string what(const char* verb, std::string_view key) const;
  Attributes attributes_of(const PutOptions& options) const;
  Task<http::Response> head_reply(std::string key, std::string what) const;
  Task<ObjectInfo> get_nothing(std::string key, Range range);
  Task<ListPage> list_unfinished(ListQuery query) const;

  // remove.cpp
  Task<void> remove_one(std::string key, RemoveOutcome* outcome) const;
  Task<void> remove_batch(std::vector<RemoveOutcome>* outcomes, std::vector<std::size_t> which) const;

  // copy.cpp
  Task<void> copy_whole(CopyJob job) const;

  // multipart.cpp
  Task<ObjectInfo> put_in_parts(std::string key, Body body, PutOptions options) const;
  Task<void> copy_in_parts(CopyJob job) const;
  struct Upload;
  Task<void> run_upload(Upload* upload) const;
  Task<void> send_parts(Upload* upload) const;
  Task<void> send_part(Upload* upload, std::size_t index) const;
  Task<std::string> complete(const Upload* upload) const;
  // The error of the abort itself, if any.
  Task<std::optional<Error>> abort(const Upload* upload) const;
  std::uint64_t part_size_for(std::uint64_t size, std::uint64_t preferred) const;

  std::string name_;
  Common common_;
  S3Options options_;
  Limits limits_;
  Surroundings surroundings_;
  std::unique_ptr<CredentialSource> source_;
  mutable std::optional<Signer> signer_;
  mutable unsigned signer_generation_ = 0;
  mutable std::optional<TimePoint> bucket_seen_;
};

}  // namespace audiostore::store::s3
