// Where an S3 store's credentials come from: the user mapping, this process's environment, or the machine
// (web identity, container endpoint, instance metadata version 2), the latter fetched over HTTP and renewed
// before they expire.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/task.hpp"
#include "http/client.hpp"
#include "store/config.hpp"
#include "store/s3/sign.hpp"

namespace audiostore::store::s3 {

class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  // Those at hand, expired or not; null before the first refresh.
  virtual const Credentials* at_hand() const = 0;
  // Counts up with every change, so that a signer knows when to forget its key.
  virtual unsigned generation() const = 0;
  // Fetches new ones. Throws Error(unavailable or access_denied) when there are none to be had.
  virtual Task<void> refresh(http::Client* client, TimePoint now) = 0;
  // False where refresh() can change nothing.
  virtual bool can_refresh() const = 0;

  // Worth using for another five minutes.
  bool fresh(TimePoint now) const;
  // Not expired yet.
  bool usable(TimePoint now) const;
};

// The process's environment and the addresses of the machine's services; tests give their own.
struct Machine {
  std::function<std::optional<std::string>(const char*)> environment;
  std::string metadata_url = "http://169.254.169.254";
  std::string container_url = "http://169.254.170.2";
  std::string token_service_url;  // empty: https://sts.REGION.amazonaws.com
};
Machine this_machine();

// From the options of the user mapping. Throws Error(invalid_option).
std::unique_ptr<CredentialSource> make_credential_source(const Secrets& mapping, const std::string& region,
                                                         Machine machine);

}  // namespace audiostore::store::s3
