// The options of provider s3, read and checked.
#pragma once

#include <string>
#include <string_view>

#include "http/endpoint.hpp"
#include "store/config.hpp"

namespace audiostore::store::s3 {

// Where a bucket is: what a key's URL begins with.
struct Location {
  std::string scheme;
  std::string host;       // with its port where needed; with the bucket where it is addressed virtually
  std::string base_path;  // "/bucket" where it is addressed by path, else empty

  std::string origin() const { return scheme + "://" + host; }
};

struct S3Options {
  std::string bucket;
  std::string region;
  http::Endpoint endpoint;
  Location location;         // where requests go
  Location public_location;  // what signed URLs name: the option public_url, else location
  std::string sse;           // empty, AES256, aws:kms or aws:kms:KEY
  std::string storage_class;
};

// Throws Error(invalid_option).
S3Options read_options(const Config& config);
void check_server_options(const Options& options, bool complete);
void check_mapping_options(const Options& options);

// Upper-case letters, digits and underscores. Throws Error(invalid_argument).
void check_storage_class(std::string_view storage_class);

}  // namespace audiostore::store::s3
