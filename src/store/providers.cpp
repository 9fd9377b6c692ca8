// Which providers there are: the one place that knows them all.
#include <algorithm>
#include <array>

#include "store/config.hpp"
#include "store/local/provider.hpp"
#include "store/s3/provider.hpp"

namespace audiostore::store {
namespace {

constexpr std::array<const Provider*, 2> kProviders{&local::kLocalProvider, &s3::kS3Provider};

}  // namespace

const Provider* find_provider(std::string_view name) {
  const auto found = std::find_if(kProviders.begin(), kProviders.end(), [&](auto* p) { return p->name == name; });
  return found == kProviders.end() ? nullptr : *found;
}

std::vector<std::string_view> provider_names() {
  std::vector<std::string_view> names;
  names.reserve(kProviders.size());
  for (const Provider* provider : kProviders) names.push_back(provider->name);
  return names;
}

}  // namespace audiostore::store
