// How an S3Store talks: credentials, signature, sending, repeating.
#include <utility>

#include "store/s3/reply.hpp"
#include "store/s3/store.hpp"

namespace audiostore::store::s3 {

const Signer& S3Store::signer_at_hand() const {
  if (!signer_ || signer_generation_ != source_->generation()) {
    signer_.emplace(*source_->at_hand(), options_.region);
    signer_generation_ = source_->generation();
  }
  return *signer_;
}

Task<const Signer*> S3Store::signer() const {
  const TimePoint now = surroundings_.clock->now();
  if (!source_->fresh(now)) {
    try {
      Task<void> refreshing = source_->refresh(surroundings_.client, now);
      co_await refreshing;
    } catch (const Error&) {
      // Those at hand last a few minutes more; the next request tries again.
      if (!source_->usable(now)) throw;
    }
  }
  co_return &signer_at_hand();
}

http::Request S3Store::build(const Call& call, const Sending& sending, const Signer& signer) const {
  http::Request request;
  request.method = call.method;
  request.url = options_.location.origin() + call.path;
  if (!call.query.empty()) request.url += "?" + call.query;
  request.body_view = call.payload();
  request.headers = call.headers;
  const Target target{http::method_name(call.method), options_.location.host, call.path, call.query};
  for (http::Header& header :
       signer.sign(target, call.headers, sha256(request.body_view), surroundings_.clock->now())) {
    request.headers.push_back(std::move(header));
  }
  request.timeout = common_.request_timeout + sending.more_time;
  request.ca_file = common_.ca_file;
  request.max_body = std::uint64_t{16} << 20;
  request.inspect = sending.inspect;
  return request;
}

Task<http::Response> S3Store::exchange(Call call, Sending sending) const {
  if (surroundings_.client == nullptr) {
    throw Error(ErrorKind::internal, "store \"" + name_ + "\" was opened without the network");
  }
  const http::RetryPolicy policy{sending.repeat == Repeat::yes ? std::min(limits_.attempts, common_.max_attempts) : 1,
                                 limits_.first_delay, std::min(common_.max_retry_delay, Milliseconds{5000})};
  bool delivered = false;  // something reached the sink: a repetition would deliver it twice
  bool renewed = false;
  for (int attempt = 1;; ++attempt) {
    Task<const Signer*> signing = signer();
    const Signer* const by = co_await signing;
    http::Request request = build(call, sending, *by);
    if (sending.sink) {
      request.sink = [&delivered, &sending](BytesView piece) {
        delivered = true;
        sending.sink(piece);
      };
    }
    http::Failure failure;
    std::exception_ptr error;
    std::optional<http::Response> response;
    try {
      Task<http::Response> in_flight = surroundings_.client->send(std::move(request));
      response = co_await in_flight;
    } catch (const Error& caught) {
      failure.kind = caught.kind();
      error = std::current_exception();
    }
    if (response) {
      if (response->ok()) co_return *std::move(response);
      const Failure said = read_failure(*response);
      if (said.code == "ExpiredToken" && source_->can_refresh() && !std::exchange(renewed, true)) {
        Task<void> refreshing = source_->refresh(surroundings_.client, surroundings_.clock->now());
        co_await refreshing;
        --attempt;
        continue;
      }
      // A HEAD has no body to say what is absent; its 404 is an answer.
      const bool absent = call.method == http::Method::head && response->status == 404;
      failure.kind = absent ? ErrorKind::not_found : kind_of(response->status, said.code);
      failure.retry_after = http::retry_after(*response, surroundings_.clock->now());
    }
    const auto delay = delivered ? std::nullopt : http::next_delay(attempt, policy, failure, *surroundings_.random);
    if (!delay) {
      if (error) std::rethrow_exception(error);
      co_return *std::move(response);
    }
    Task<void> pausing = surroundings_.client->pause(*delay);
    co_await pausing;
  }
}

Task<http::Response> S3Store::expect_ok(Call call, Sending sending, std::string what) const {
  Task<http::Response> exchanging = exchange(std::move(call), std::move(sending));
  http::Response response = co_await exchanging;
  if (!response.ok()) throw to_error(read_failure(response), std::move(what));
  co_return response;
}

}  // namespace audiostore::store::s3
