#include "lifecycle/place.hpp"

#include <gtest/gtest.h>

namespace audiostore::lifecycle {
namespace {

store::Config s3(std::string bucket, std::string prefix = {}, std::string endpoint = {}) {
  store::Config config;
  config.provider = "s3";
  config.options = {{"bucket", std::move(bucket)}};
  if (!endpoint.empty()) config.options["endpoint"] = std::move(endpoint);
  config.common.prefix = std::move(prefix);
  return config;
}

store::Config local(std::string root, std::string prefix = {}) {
  store::Config config;
  config.provider = "local";
  config.options = {{"root", std::move(root)}};
  config.common.prefix = std::move(prefix);
  return config;
}

TEST(Place, TwoNamesOfOneBucketAreOnePlace) {
  EXPECT_TRUE(same_object(s3("media"), s3("media"), ""));
  EXPECT_TRUE(same_object(s3("media"), s3("media", "", "https://s3.eu-west-1.amazonaws.com"), ""));
  EXPECT_TRUE(same_object(s3("media", "old/"), s3("media"), "old/"));
}

TEST(Place, AnotherBucketPrefixOrServerIsAnother) {
  EXPECT_FALSE(same_object(s3("media"), s3("archive"), ""));
  EXPECT_FALSE(same_object(s3("media"), s3("media"), "old/"));
  EXPECT_FALSE(same_object(s3("media"), s3("media", "old/"), ""));
  EXPECT_FALSE(same_object(s3("media", "", "https://a"), s3("media", "", "https://b"), ""));
  EXPECT_FALSE(same_object(local("/srv/media"), s3("media"), ""));
}

TEST(Place, DirectoriesArePathsHoweverTheyAreCut) {
  EXPECT_TRUE(same_object(local("/srv/media"), local("/srv/media/"), ""));
  EXPECT_TRUE(same_object(local("/srv", "media/"), local("/srv/media"), ""));
  EXPECT_TRUE(same_object(local("/srv/media/old"), local("/srv/media"), "old/"));
  EXPECT_FALSE(same_object(local("/srv/media"), local("/srv/cold"), ""));
}

TEST(Place, WordsForClassesAreThoseOfS3) {
  EXPECT_EQ(storage_class_of("s3", "glacier"), "GLACIER");
  EXPECT_EQ(storage_class_of("s3", "archive"), "DEEP_ARCHIVE");
  EXPECT_EQ(storage_class_of("s3", "GLACIER_IR"), "GLACIER_IR");
  EXPECT_EQ(storage_class_of("gcs", "cold"), "cold");
}

}  // namespace
}  // namespace audiostore::lifecycle
