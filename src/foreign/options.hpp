// Options of a foreign server and its user mappings, from PostgreSQL's option lists to the values a driver takes.
// The validator and load_config() read them through the same functions, so what CREATE SERVER lets in can be opened.
#pragma once

#include <string>
#include <string_view>

#include "pg/guard.hpp"
#include "store/config.hpp"

namespace audiostore::foreign {

// DefElems as names and values.
store::Options to_options(List* elements);

struct ServerOptions {
  const store::Provider* provider = nullptr;
  store::Options own;  // the provider's
  store::Common common;
};

// Throws SqlError HV00D for an option that does not exist (the HINT names those that do), and what checks of the
// values throw.
ServerOptions read_server_options(const store::Options& options);

// Credentials of this store for its provider; throws as above. The values of the options never show up in an error.
store::Secrets read_mapping_options(const std::string& store, const store::Provider& provider,
                                    const store::Options& options);

// For CREATE USER MAPPING, which does not tell the validator whose server it is: the options must fit one provider.
void check_mapping_of_any_provider(const store::Options& options);

// Throws HV00D unless each option is one of `valid`.
void check_names(const store::Options& options, const std::vector<std::string_view>& valid);

}  // namespace audiostore::foreign
