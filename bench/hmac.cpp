// What signing a URL cannot do without: with the day's key at hand, one SHA-256 of the canonical request and one HMAC
// of the string to sign (AWS Signature Version 4). Prints how often a second OpenSSL does that, through the interface
// that it recommends and prepared as far as it goes: the limit for signed_url().
#include <openssl/evp.h>
#include <openssl/params.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

int main() {
  constexpr int kTimes = 500'000;
  // As long as they are for a GET of a key of 60 bytes.
  std::string request(420, 'x');
  std::string const to_sign(150, 'y');
  unsigned char const key[32] = {1};
  unsigned char digest[32];
  std::size_t length = 0;

  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MD_CTX* hashing = EVP_MD_CTX_new();
  EVP_MAC_CTX* keyed = EVP_MAC_CTX_new(hmac);
  char name[] = "SHA256";
  OSSL_PARAM const parameters[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0), OSSL_PARAM_construct_end()};
  if (EVP_MAC_init(keyed, key, sizeof key, parameters) != 1) return 1;

  unsigned sink = 0;
  auto const began = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimes; i++) {
    request[0] = static_cast<char>(i);
    if (EVP_DigestInit_ex2(hashing, sha256, nullptr) != 1) return 1;
    EVP_DigestUpdate(hashing, request.data(), request.size());
    EVP_DigestFinal_ex(hashing, digest, nullptr);
    sink += digest[0];
    if (EVP_MAC_init(keyed, nullptr, 0, nullptr) != 1) return 1;
    EVP_MAC_update(keyed, reinterpret_cast<const unsigned char*>(to_sign.data()), to_sign.size());
    EVP_MAC_final(keyed, digest, &length, sizeof digest);
    sink += digest[0];
  }
  std::chrono::duration<double> const took = std::chrono::steady_clock::now() - began;
  std::printf("%.0f\n", kTimes / took.count());
  return sink == 1 ? 1 : 0;
}
