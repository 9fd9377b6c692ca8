#include "foreign/options.hpp"

#include <span>

#include "pg/time.hpp"
#include "store/common_options.hpp"

namespace audiostore::foreign {
namespace {

[[noreturn]] void throw_bad_value(std::string_view name, const std::string& value, std::string hint) {
  throw pg::SqlError(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
                     "invalid value for option \"" + std::string(name) + "\": \"" + value + "\"", {}, std::move(hint));
}

std::chrono::microseconds read_interval(std::string_view name, const std::string& value) {
  std::chrono::microseconds length{};
  try {
    length = pg::to_microseconds(*pg::call([&] {
      return DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(value.c_str()),
                                                   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
    }));
  } catch (const pg::PgError&) {
    // Replaced, not swallowed: this error reaches the guard in its place.
    throw_bad_value(name, value, R"(Write an interval such as "30 seconds" or "7 days".)");
  }
  if (length.count() < 0) throw_bad_value(name, value, "The interval must not be negative.");
  return length;
}

std::string listed(std::span<const std::string_view> names) {
  std::string list;
  for (auto const name : names) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const store::Provider& read_provider(const store::Options& options) {
  std::string const hint = "Providers are: " + listed(store::provider_names()) + ".";
  auto const found = options.find("provider");
  if (found == options.end()) {
    throw pg::SqlError(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED, "option \"provider\" is required for a store", {},
                       hint);
  }
  const store::Provider* provider = store::find_provider(found->second);
  if (provider == nullptr) throw_bad_value("provider", found->second, hint);
  return *provider;
}

std::vector<std::string_view> server_option_names(const store::Provider& provider) {
  std::vector<std::string_view> names{"provider"};
  names.insert(names.end(), provider.server_options.begin(), provider.server_options.end());
  auto const& common = store::common_option_names();
  names.insert(names.end(), common.begin(), common.end());
  return names;
}

[[noreturn]] void throw_not_of_provider(const std::string& store, const store::Provider& provider,
                                        const std::string& option) {
  throw pg::SqlError(ERRCODE_FDW_INVALID_OPTION_NAME,
                     "invalid option \"" + option + "\" in the user mapping for store \"" + store + "\"",
                     "Its provider is " + std::string(provider.name) + ".",
                     provider.mapping_options.empty()
                         ? "User mappings for this provider have no options."
                         : "Valid options in this context are: " + listed(provider.mapping_options) + ".");
}

// A secret among the server's options would be readable for everybody: say where it belongs.
void refuse_mapping_options(const store::Provider& provider, const store::Options& options) {
  for (auto const& [name, value] : options) {
    if (!contains(provider.mapping_options, name) || contains(provider.server_options, name)) continue;
    throw pg::SqlError(ERRCODE_FDW_INVALID_OPTION_NAME, "option \"" + name + "\" does not belong to the server", {},
                       "It is an option of user mappings: CREATE USER MAPPING ... OPTIONS (" + name + " '...').");
  }
}

}  // namespace

store::Options to_options(List* elements) {
  store::Options options;
  for (int i = 0; i < list_length(elements); i++) {
    auto* element = static_cast<DefElem*>(list_nth(elements, i));
    options[element->defname] = pg::call([&] { return defGetString(element); });
  }
  return options;
}

void check_names(const store::Options& options, const std::vector<std::string_view>& valid) {
  for (auto const& [name, value] : options) {
    if (contains(valid, name)) continue;
    throw pg::SqlError(ERRCODE_FDW_INVALID_OPTION_NAME, "invalid option \"" + name + "\"", {},
                       valid.empty() ? "There are no valid options in this context."
                                     : "Valid options in this context are: " + listed(valid) + ".");
  }
}

ServerOptions read_server_options(const store::Options& options) {
  ServerOptions read;
  read.provider = &read_provider(options);
  refuse_mapping_options(*read.provider, options);
  check_names(options, server_option_names(*read.provider));
  for (auto const& [name, value] : options) {
    if (contains(read.provider->server_options, name)) read.own.emplace(name, value);
  }
  read.common = store::read_common(options);
  auto const grace = options.find("delete_grace");
  if (grace != options.end()) read.common.delete_grace = read_interval("delete_grace", grace->second);
  read.provider->check_server(read.own, true);
  return read;
}

store::Secrets read_mapping_options(const std::string& store, const store::Provider& provider,
                                    const store::Options& options) {
  for (auto const& [name, value] : options) {
    if (contains(provider.mapping_options, name)) continue;
    throw_not_of_provider(store, provider, name);
  }
  provider.check_mapping(options);
  store::Secrets secrets;
  for (auto const& [name, value] : options) secrets.emplace(name, Secret(value));
  return secrets;
}

void check_mapping_of_any_provider(const store::Options& options) {
  std::vector<std::string_view> all;
  std::vector<const store::Provider*> fitting;
  for (auto const provider_name : store::provider_names()) {
    const store::Provider* provider = store::find_provider(provider_name);
    bool fits = true;
    for (auto const& [name, value] : options) fits = fits && contains(provider->mapping_options, name);
    if (fits) fitting.push_back(provider);
    for (auto const name : provider->mapping_options) {
      if (!contains(all, name)) all.push_back(name);
    }
  }
  check_names(options, all);
  if (fitting.empty()) {
    std::string names;
    for (auto const& [name, value] : options) names.append(names.empty() ? "" : ", ").append(name);
    throw pg::SqlError(ERRCODE_FDW_INVALID_OPTION_NAME, "no provider takes these options together",
                       "Options are: " + names + ".");
  }
  std::optional<Error> first;
  for (auto const* provider : fitting) {
    try {
      provider->check_mapping(options);
      return;
    } catch (const Error& error) {
      if (!first) first = error;
    }
  }
  throw Error(*first);
}

}  // namespace audiostore::foreign
