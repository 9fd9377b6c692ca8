#include "store/s3/options.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace audiostore::store::s3 {
namespace {

Error invalid(std::string_view option, std::string_view value, std::string hint) {
  return {ErrorKind::invalid_option,
          "invalid value for option \"" + std::string(option) + "\": \"" + printable(value, 200) + "\"",
          {},
          std::move(hint)};
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

std::string value_of(const Options& options, const std::string& name) {
  const auto found = options.find(name);
  return found == options.end() ? std::string() : found->second;
}

// What AWS allows, and the upper case and underscores of its old buckets and of other servers.
void check_bucket(const std::string& bucket) {
  const bool sound = bucket.size() >= 3 && bucket.size() <= 255 && bucket.front() != '.' && bucket.back() != '.' &&
                     bucket.find("..") == std::string::npos && std::all_of(bucket.begin(), bucket.end(), [](char c) {
                       return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
                     });
  if (!sound)
    throw invalid("bucket", bucket, "A bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens.");
}

// A bucket name that may stand in a host name.
bool is_dns_name(std::string_view bucket) {
  return bucket.size() <= 63 && is_lower_or_digit(bucket.front()) && is_lower_or_digit(bucket.back()) &&
         std::all_of(bucket.begin(), bucket.end(), [](char c) { return is_lower_or_digit(c) || c == '.' || c == '-'; });
}

void check_region(const std::string& region) {
  const bool sound = !region.empty() && region.size() <= 64 && std::all_of(region.begin(), region.end(), [](char c) {
    return is_lower_or_digit(c) || c == '-' || c == '_';
  });
  if (!sound) throw invalid("region", region, "For example: eu-west-1.");
}

void check_sse(const std::string& sse) {
  constexpr std::string_view kWithKey = "aws:kms:";
  const bool key_sound = sse.size() > kWithKey.size() && sse.size() < 2048 &&
                         std::all_of(sse.begin(), sse.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (sse == "AES256" || sse == "aws:kms" || (sse.starts_with(kWithKey) && key_sound)) return;
  throw invalid("sse", sse, "Valid values are AES256, aws:kms and aws:kms:KEY.");
}

http::Endpoint endpoint_of(const Options& options, const std::string& region) {
  if (const std::string endpoint = value_of(options, "endpoint"); !endpoint.empty()) {
    return http::parse_endpoint("endpoint", endpoint);
  }
  const std::string domain = region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com";
  return http::parse_endpoint("region", "https://s3." + region + domain);
}

bool virtual_addressing(const Options& options, const http::Endpoint& endpoint, const std::string& bucket) {
  const std::string addressing = value_of(options, "addressing");
  if (addressing == "path") return false;
  if (addressing.empty()) {
    // A wildcard certificate covers one label only.
    const bool covered = endpoint.scheme == "http" || bucket.find('.') == std::string::npos;
    return value_of(options, "endpoint").empty() && is_dns_name(bucket) && covered;
  }
  if (addressing != "virtual") throw invalid("addressing", addressing, "Valid values are virtual and path.");
  if (endpoint.is_ip_address()) {
    throw invalid("addressing", addressing, "An endpoint that is an IP address needs the addressing path.");
  }
  if (!is_dns_name(bucket)) {
    throw invalid("addressing", addressing, "A bucket whose name cannot be a host name needs the addressing path.");
  }
  return true;
}

Location locate(const http::Endpoint& endpoint, const std::string& bucket, bool is_virtual) {
  if (is_virtual) return {endpoint.scheme, bucket + "." + endpoint.authority(), ""};
  return {endpoint.scheme, endpoint.authority(), "/" + bucket};
}

http::Endpoint public_endpoint(const std::string& url) {
  // A client may reach a store over plain http anywhere: it is its own network.
  constexpr std::string_view kPlain = "http://";
  if (!url.starts_with(kPlain)) return http::parse_endpoint("public_url", url);
  http::Endpoint endpoint = http::parse_endpoint("public_url", "https://" + url.substr(kPlain.size()));
  endpoint.scheme = "http";
  const bool https_port = endpoint.port == 0 && url.find(":443") != std::string::npos;
  if (https_port) endpoint.port = 443;
  if (endpoint.port == 80) endpoint.port = 0;
  return endpoint;
}

}  // namespace

void check_storage_class(std::string_view storage_class) {
  const bool sound =
      !storage_class.empty() && storage_class.size() <= 64 &&
      std::all_of(storage_class.begin(), storage_class.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
      });
  if (!sound) {
    throw Error(ErrorKind::invalid_argument, "invalid storage class \"" + printable(storage_class, 100) + "\"", {},
                "For example: STANDARD_IA or GLACIER.");
  }
}

void check_server_options(const Options& options, bool complete) {
  const std::string bucket = value_of(options, "bucket");
  const std::string region = value_of(options, "region");
  if (options.contains("bucket")) check_bucket(bucket);
  if (options.contains("region")) check_region(region);
  if (options.contains("endpoint")) http::parse_endpoint("endpoint", value_of(options, "endpoint"));
  if (options.contains("sse")) check_sse(value_of(options, "sse"));
  if (options.contains("public_url")) public_endpoint(value_of(options, "public_url"));
  if (const auto found = options.find("storage_class"); found != options.end()) {
    try {
      check_storage_class(found->second);
    } catch (const Error& error) {
      throw invalid("storage_class", found->second, error.hint());
    }
  }
  if (const std::string addressing = value_of(options, "addressing");
      options.contains("addressing") && addressing != "virtual" && addressing != "path") {
    throw invalid("addressing", addressing, "Valid values are virtual and path.");
  }
  if (!complete) return;
  if (bucket.empty()) throw Error(ErrorKind::invalid_option, "option \"bucket\" is missing", "Provider s3 needs it.");
  if (region.empty() && !options.contains("endpoint")) {
    throw Error(ErrorKind::invalid_option, "option \"region\" is missing",
                "Provider s3 needs a region, or an endpoint of another server than AWS.", "For example: eu-west-1.");
  }
  virtual_addressing(options, endpoint_of(options, region), bucket);
}

void check_mapping_options(const Options& options) {
  const auto has = [&](const char* name) { return options.contains(name); };
  for (const auto& [name, value] : options) {
    if (value.empty() || !std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < 0x7F; })) {
      throw Error(ErrorKind::invalid_option, "invalid value for option \"" + name + "\"",
                  "It is empty or has spaces, control characters or characters that are not ASCII.");
    }
  }
  if (const auto found = options.find("credentials"); found != options.end()) {
    if (found->second != "instance" && found->second != "env") {
      throw invalid("credentials", found->second, "Valid values are instance and env.");
    }
    if (has("access_key_id") || has("secret_access_key") || has("session_token")) {
      throw Error(ErrorKind::invalid_option, "option \"credentials\" excludes options with keys", {},
                  "Give either credentials or access_key_id and secret_access_key.");
    }
    return;
  }
  for (const char* name : {"access_key_id", "secret_access_key"}) {
    if (!has(name)) {
      throw Error(ErrorKind::invalid_option, "option \"" + std::string(name) + "\" is missing",
                  "A user mapping for provider s3 has both access_key_id and secret_access_key, or credentials.");
    }
  }
}

S3Options read_options(const Config& config) {
  check_server_options(config.options, true);
  S3Options s3;
  s3.bucket = value_of(config.options, "bucket");
  s3.region = value_of(config.options, "region");
  s3.endpoint = endpoint_of(config.options, s3.region);
  if (s3.region.empty()) s3.region = "us-east-1";
  const bool is_virtual = virtual_addressing(config.options, s3.endpoint, s3.bucket);
  s3.location = locate(s3.endpoint, s3.bucket, is_virtual);
  s3.public_location = s3.location;
  if (!config.common.public_url.empty()) {
    s3.public_location = locate(public_endpoint(config.common.public_url), s3.bucket, is_virtual);
  }
  s3.sse = value_of(config.options, "sse");
  s3.storage_class = value_of(config.options, "storage_class");
  return s3;
}

}  // namespace audiostore::store::s3
