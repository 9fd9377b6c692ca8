// AWS Signature Version 4 for S3: header signatures and presigned URLs as functions of request, credentials
// and time. What would surprise you: the signer remembers the signing key of the last day it signed for (four
// HMACs) and the last second's timestamp; results do not depend on what it remembers.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/secret.hpp"
#include "http/message.hpp"

namespace audiostore::store::s3 {

struct Credentials {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;              // empty: none
  std::optional<TimePoint> expires;  // none: never
};

// The parts of a URL as they go out: the path percent-encoded once, the query sorted and encoded.
struct Target {
  std::string_view method;
  std::string_view host;  // with its port where that is not the scheme's own
  std::string_view path;
  std::string_view query;
};

struct Presign {
  std::string_view method = "GET";
  std::string_view origin;  // https://host
  std::string_view host;
  std::string_view path;
  std::chrono::seconds expires_in{3600};
  TimePoint at{};
  const std::map<std::string, std::string>* headers = nullptr;  // the client must send these
  const std::map<std::string, std::string>* query = nullptr;
};

class Signer {
 public:
  Signer(Credentials credentials, std::string region);

  // The headers to add: x-amz-content-sha256, x-amz-date, x-amz-security-token, authorization. All the given
  // ones are signed; their names are in lower case. payload_hash is the body's SHA-256.
  http::Headers sign(const Target& target, const http::Headers& headers, const Sha256Digest& payload_hash,
                     TimePoint now) const;

  // The URL. Throws Error(invalid_argument) for times over seven days and for headers and query parameters
  // that cannot be signed.
  std::string presign(const Presign& request) const;

  const Credentials& credentials() const { return credentials_; }

 private:
  struct Moment {
    std::chrono::sys_seconds second{};
    std::string date;           // 20130524T000000Z
    std::string scope;          // 20130524/us-east-1/s3/aws4_request
    std::string encoded_scope;  // access key and scope, as in a query
    std::optional<HmacSha256> key;
  };
  const Moment& moment(TimePoint at) const;
  // Appends the signature of the canonical request.
  void append_signature(std::string& out, const Moment& now, BytesView canonical_request) const;

  Credentials credentials_;
  std::string region_;
  std::string encoded_token_;
  mutable Moment moment_;
  mutable std::string canonical_;  // kept for its capacity
};

}  // namespace audiostore::store::s3
