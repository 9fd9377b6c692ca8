#include "base/hash.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/error.hpp"

namespace audiostore {
namespace {

[[noreturn]] void fail(const char* what) { throw Error(ErrorKind::internal, std::string("could not compute ") + what); }

struct FreeDigest {
  void operator()(EVP_MD* digest) const noexcept { EVP_MD_free(digest); }
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
};

// A digest and its context, both fetched once: a fetch by name costs more than hashing a short string.
class Digester {
 public:
  explicit Digester(const char* name)
      : name_(name), digest_(EVP_MD_fetch(nullptr, name, nullptr)), context_(EVP_MD_CTX_new()) {}

  bool available() const { return digest_ && context_; }

  template <class Digest>
  Digest operator()(BytesView data) {
    Digest out{};
    unsigned length = 0;
    if (EVP_DigestInit_ex2(context_.get(), digest_.get(), nullptr) != 1 ||
        EVP_DigestUpdate(context_.get(), data.data(), data.size()) != 1 ||
        EVP_DigestFinal_ex(context_.get(), out.data(), &length) != 1 || length != out.size()) {
      fail(name_);
    }
    return out;
  }

 private:
  const char* name_;
  std::unique_ptr<EVP_MD, FreeDigest> digest_;
  std::unique_ptr<EVP_MD_CTX, FreeDigest> context_;
};

}  // namespace

Sha256Digest sha256(BytesView data) {
  thread_local Digester digester("SHA256");
  if (!digester.available()) fail("SHA256");
  return digester.operator()<Sha256Digest>(data);
}

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex2(context_.get(), EVP_sha256(), nullptr) != 1) fail("SHA256");
}

void Sha256::update(BytesView piece) {
  if (EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) != 1) fail("SHA256");
}

Sha256Digest Sha256::finish() {
  Sha256Digest out{};
  if (EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) != 1) fail("SHA256");
  return out;
}

Md5Digest md5(BytesView data) {
  thread_local Digester digester("MD5");
  if (!digester.available()) {
    throw Error(ErrorKind::unsupported, "MD5 is not available", {},
                "The OpenSSL configuration of this server may be restricted to FIPS algorithms.");
  }
  return digester.operator()<Md5Digest>(data);
}

void HmacSha256::Free::operator()(evp_mac_ctx_st* context) const noexcept { EVP_MAC_CTX_free(context); }

HmacSha256::HmacSha256(BytesView key) {
  thread_local const std::unique_ptr<EVP_MAC, FreeDigest> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (!mac) fail("HMAC");
  context_.reset(EVP_MAC_CTX_new(mac.get()));
  char digest_name[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
                               OSSL_PARAM_construct_end()};
  // An empty key would mean "keep the key" to OpenSSL when its pointer is null.
  const char* bytes = key.empty() ? "" : key.data();
  if (!context_ ||
      EVP_MAC_init(context_.get(), reinterpret_cast<const unsigned char*>(bytes), key.size(), params) != 1) {
    fail("HMAC");
  }
}

Sha256Digest HmacSha256::operator()(BytesView data) const {
  Sha256Digest out{};
  std::size_t length = 0;
  if (EVP_MAC_init(context_.get(), nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(data.data()), data.size()) != 1 ||
      EVP_MAC_final(context_.get(), out.data(), &length, out.size()) != 1 || length != out.size()) {
    fail("HMAC");
  }
  return out;
}

}  // namespace audiostore
