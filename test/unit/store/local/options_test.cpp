#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scratch.hpp"
#include "store/local/provider.hpp"

namespace audiostore::store::local {
namespace {

using namespace std::string_literals;

class LocalOptions : public Scratch {};

TEST_F(LocalOptions, RootMustBeAnAbsoluteDirectoryOfItsOwn) {
  for (const std::string& root :
       {""s, "audio"s, "./audio"s, "/"s, "//"s, "/./"s, "/srv/../etc"s, "/a\0b"s, "/" + std::string(5000, 'x')}) {
    const auto error = error_of([&] { kLocalProvider.check_server({{"root", root}}, false); });
    EXPECT_EQ(error.kind(), ErrorKind::invalid_option) << root;
    EXPECT_FALSE(error.detail().empty());
    EXPECT_FALSE(error.hint().empty());
  }
  for (const auto* root : {"/srv/audio", "/srv/audio/", "/srv//audio", "/srv/with space"}) {
    kLocalProvider.check_server({{"root", root}}, true);
  }
}

TEST_F(LocalOptions, RootIsRequiredInTheEnd) {
  kLocalProvider.check_server({}, false);
  const auto error = error_of([&] { kLocalProvider.check_server({}, true); });
  EXPECT_EQ(error.kind(), ErrorKind::invalid_option);
  EXPECT_THAT(error.message(), testing::HasSubstr("root"));
  EXPECT_FALSE(error.hint().empty());
}

TEST_F(LocalOptions, OpensAStore) {
  Config config{
      .name = "media", .provider = "local", .options = {{"root", root_.string()}}, .credentials = {}, .common = {}};
  config.common.prefix = "raw/";
  const auto store = kLocalProvider.open(config, {});
  run(store->put("k", "data", {}));
  EXPECT_TRUE(std::filesystem::exists(root_ / "raw" / "k"));
  for (const auto* prefix : {"/raw", "../", "a//b", "..", "a/./", "/"}) {
    config.common.prefix = prefix;
    EXPECT_EQ(error_of([&] { (void)kLocalProvider.open(config, {}); }).kind(), ErrorKind::invalid_option) << prefix;
  }
}

}  // namespace
}  // namespace audiostore::store::local
