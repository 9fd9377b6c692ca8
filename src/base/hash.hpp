// Digests and message authentication over OpenSSL's EVP interface. What would surprise you: each thread keeps
// its digest contexts, so that hashing a short string costs its compression and nothing else.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "base/bytes.hpp"

struct evp_mac_ctx_st;
struct evp_md_ctx_st;

namespace audiostore {

using Sha256Digest = std::array<unsigned char, 32>;
using Md5Digest = std::array<unsigned char, 16>;

Sha256Digest sha256(BytesView data);

// Of data that comes in pieces.
class Sha256 {
 public:
  Sha256();
  void update(BytesView piece);
  Sha256Digest finish();  // once

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// Only where a protocol asks for it (Content-MD5). Throws Error(unsupported) where OpenSSL refuses MD5.
Md5Digest md5(BytesView data);

template <std::size_t N>
BytesView view(const std::array<unsigned char, N>& digest) {
  return {reinterpret_cast<const char*>(digest.data()), N};
}

// A key made ready: its inner and outer pads are hashed once, not with every message. Not for use by two
// threads at once.
class HmacSha256 {
 public:
  explicit HmacSha256(BytesView key);
  Sha256Digest operator()(BytesView data) const;

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> context_;
};

inline Sha256Digest hmac_sha256(BytesView key, BytesView data) { return HmacSha256(key)(data); }

}  // namespace audiostore
