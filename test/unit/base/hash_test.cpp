#include "base/hash.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"

namespace audiostore {
namespace {

TEST(Hash, Sha256OfKnownTexts) {
  EXPECT_EQ(hex(view(sha256(""))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(view(sha256("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, Md5OfKnownTexts) {
  EXPECT_EQ(hex(view(md5(""))), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex(view(md5("abc"))), "900150983cd24fb0d6963f7d28e17f72");
}

// RFC 4231
TEST(Hash, HmacSha256OfKnownTexts) {
  EXPECT_EQ(hex(view(hmac_sha256(std::string(20, '\x0b'), "Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(view(hmac_sha256("Jefe", "what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(view(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hash, AKeyIsUsedManyTimes) {
  const HmacSha256 key("Jefe");
  const auto first = key("what do ya want for nothing?");
  key("something else");
  EXPECT_EQ(key("what do ya want for nothing?"), first);
  EXPECT_EQ(HmacSha256("")("x"), hmac_sha256("", "x"));
}

TEST(Hash, PiecesMakeTheSameDigestAsTheWhole) {
  Sha256 pieces;
  pieces.update("a");
  pieces.update("");
  pieces.update("bc");
  EXPECT_EQ(pieces.finish(), sha256("abc"));
}

}  // namespace
}  // namespace audiostore
