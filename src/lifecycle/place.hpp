// Where objects lie, and what classes are called, as far as it can be told without a network. Pure.
//
// What would surprise you: two foreign servers may name one bucket. An object moved from one to the other would be
// copied onto itself, and then deleted under its old name, which is its new one.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "store/config.hpp"

namespace audiostore::lifecycle {

// Whether key k of one store and key to_prefix + k of the other may be the same object.
inline bool same_object(const store::Config& from, const store::Config& to, std::string_view to_prefix) {
  if (from.provider != to.provider) return false;
  auto const option = [](const store::Config& config, const char* name) {
    auto const found = config.options.find(name);
    return found == config.options.end() ? std::string() : found->second;
  };
  // A local root and a prefix are one path.
  auto const place = [&](const store::Config& config, std::string_view more) {
    std::string path = option(config, "root");
    if (!path.empty()) path += '/';
    path.append(config.common.prefix).append(more);
    std::string plain;
    for (char const c : path) {
      if (c != '/' || plain.empty() || plain.back() != '/') plain += c;
    }
    return plain;
  };
  std::string from_place = place(from, {});
  std::string to_place = place(to, to_prefix);
  // A directory is the same with and without the slash at its end.
  for (std::string* const one : {&from_place, &to_place}) {
    if (from.provider == "local" && !one->ends_with('/')) *one += '/';
  }
  if (from_place != to_place) return false;
  for (const char* const name : {"bucket", "container", "account"}) {
    if (option(from, name) != option(to, name)) return false;
  }
  // One without an endpoint has its provider's usual one, which the other may have written out.
  std::string const endpoint = option(from, "endpoint");
  std::string const other = option(to, "endpoint");
  return endpoint == other || endpoint.empty() || other.empty();
}

// The words that the tables of an application use, as S3 names them; what is none of them is a provider's own name.
inline std::string storage_class_of(std::string_view provider, std::string_view word) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kWords{{{"standard", "STANDARD"},
                                                                                 {"infrequent", "STANDARD_IA"},
                                                                                 {"ia", "STANDARD_IA"},
                                                                                 {"cold", "GLACIER_IR"},
                                                                                 {"instant", "GLACIER_IR"},
                                                                                 {"glacier", "GLACIER"},
                                                                                 {"archive", "DEEP_ARCHIVE"},
                                                                                 {"deep_archive", "DEEP_ARCHIVE"}}};
  if (provider == "s3") {
    for (auto const& [name, storage_class] : kWords) {
      if (word == name) return std::string(storage_class);
    }
  }
  return std::string(word);
}

}  // namespace audiostore::lifecycle
