#include "store/s3/provider.hpp"

#include "store/s3/options.hpp"
#include "store/s3/store.hpp"

namespace audiostore::store::s3 {
namespace {

std::unique_ptr<Store> open(const Config& config, Surroundings surroundings) {
  static const SystemClock system_clock;
  static SystemRandom system_random;
  if (surroundings.clock == nullptr) surroundings.clock = &system_clock;
  if (surroundings.random == nullptr) surroundings.random = &system_random;
  const S3Options options = read_options(config);
  return std::make_unique<S3Store>(config, surroundings,
                                   make_credential_source(config.credentials, options.region, this_machine()));
}

}  // namespace

const Provider kS3Provider{.name = "s3",
                           .server_options = {"bucket", "region", "endpoint", "addressing", "sse", "storage_class"},
                           .mapping_options = {"access_key_id", "secret_access_key", "session_token", "credentials"},
                           .check_server = check_server_options,
                           .check_mapping = check_mapping_options,
                           .open = open,
                           .storage_classes = true};

}  // namespace audiostore::store::s3
