#include "store/s3/sign.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/time_format.hpp"

namespace audiostore::store::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::chrono::seconds kLongestPresign{7 * 24 * 3600};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Without space around it, runs of spaces made one.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const bool space = c == ' ' || c == '\t';
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string joined_names(const Pairs& headers) {
  std::string names;
  for (const auto& [name, value] : headers) {
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Pairs presigned_headers(const Presign& request) {
  Pairs headers;
  headers.emplace_back("host", request.host);
  if (request.headers != nullptr) {
    for (const auto& [name, value] : *request.headers) {
      const std::string low = lower(name);
      const bool sound = is_token(name) && low != "host" && std::none_of(value.begin(), value.end(), [](char c) {
                           return c >= 0 && c < ' ' && c != '\t';
                         });
      if (!sound) {
        throw Error(ErrorKind::invalid_argument, "header \"" + printable(name, 100) + "\" cannot be signed");
      }
      headers.emplace_back(low, canonical_value(value));
    }
  }
  std::sort(headers.begin(), headers.end());
  for (std::size_t i = 1; i < headers.size(); ++i) {
    if (headers[i].first == headers[i - 1].first) {
      throw Error(ErrorKind::invalid_argument, "header \"" + headers[i].first + "\" is given twice");
    }
  }
  return headers;
}

Pairs encoded_query(const Presign& request) {
  Pairs query;
  if (request.query == nullptr) return query;
  for (const auto& [name, value] : *request.query) {
    if (name.empty() || lower(name).starts_with("x-amz-")) {
      throw Error(ErrorKind::invalid_argument, "query parameter \"" + printable(name, 100) + "\" cannot be signed", {},
                  "Parameters that start with X-Amz- belong to the signature.");
    }
    query.emplace_back(uri_encode(name, Slash::encode), uri_encode(value, Slash::encode));
  }
  std::sort(query.begin(), query.end());
  return query;
}

void append_parameter(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += '&';
  out += name;
  out += '=';
  out += value;
}

}  // namespace

Signer::Signer(Credentials credentials, std::string region)
    : credentials_(std::move(credentials)),
      region_(std::move(region)),
      encoded_token_(uri_encode(credentials_.session_token.reveal(), Slash::encode)) {}

const Signer::Moment& Signer::moment(TimePoint at) const {
  const auto second = std::chrono::floor<std::chrono::seconds>(at);
  if (moment_.key && moment_.second == second) return moment_;
  const bool same_day = moment_.key && std::chrono::floor<std::chrono::days>(second) ==
                                           std::chrono::floor<std::chrono::days>(moment_.second);
  std::string date = iso8601_basic(at);
  if (!same_day) {
    const std::string day = date.substr(0, 8);
    const Secret first("AWS4" + std::string(credentials_.secret_access_key.reveal()));
    const Sha256Digest date_key = hmac_sha256(first.reveal(), day);
    const Sha256Digest region_key = hmac_sha256(view(date_key), region_);
    const Sha256Digest service_key = hmac_sha256(view(region_key), "s3");
    const Sha256Digest signing_key = hmac_sha256(view(service_key), "aws4_request");
    moment_.scope = day + "/" + region_ + "/s3/aws4_request";
    moment_.encoded_scope = uri_encode(credentials_.access_key_id + "/" + moment_.scope, Slash::encode);
    moment_.key.emplace(view(signing_key));
  }
  moment_.date = std::move(date);
  moment_.second = second;
  return moment_;
}

void Signer::append_signature(std::string& out, const Moment& now, BytesView canonical_request) const {
  const Sha256Digest request_hash = sha256(canonical_request);
  thread_local std::string to_sign;
  to_sign.assign(kAlgorithm);
  to_sign += '\n';
  to_sign += now.date;
  to_sign += '\n';
  to_sign += now.scope;
  to_sign += '\n';
  append_hex(to_sign, view(request_hash));
  const Sha256Digest signature = (*now.key)(to_sign);
  append_hex(out, view(signature));
}

http::Headers Signer::sign(const Target& target, const http::Headers& headers, const Sha256Digest& payload_hash,
                           TimePoint at) const {
  const Moment& now = moment(at);
  http::Headers added;
  added.push_back({"x-amz-content-sha256", hex(view(payload_hash))});
  added.push_back({"x-amz-date", now.date});
  if (!credentials_.session_token.empty()) {
    added.push_back({"x-amz-security-token", std::string(credentials_.session_token.reveal())});
  }
  Pairs all;
  all.reserve(headers.size() + added.size() + 1);
  all.emplace_back("host", target.host);
  for (const http::Headers* list : {&headers, static_cast<const http::Headers*>(&added)}) {
    for (const http::Header& header : *list) all.emplace_back(lower(header.name), canonical_value(header.value));
  }
  std::sort(all.begin(), all.end());
  const std::string names = joined_names(all);

  canonical_.assign(target.method);
  for (const std::string_view part : {target.path, target.query}) {
    canonical_ += '\n';
    canonical_ += part;
  }
  canonical_ += '\n';
  for (const auto& [name, value] : all) {
    canonical_ += name;
    canonical_ += ':';
    canonical_ += value;
    canonical_ += '\n';
  }
  canonical_ += '\n';
  canonical_ += names;
  canonical_ += '\n';
  canonical_ += added.front().value;

  std::string authorization(kAlgorithm);
  authorization +=
      " Credential=" + credentials_.access_key_id + "/" + now.scope + ",SignedHeaders=" + names + ",Signature=";
  append_signature(authorization, now, canonical_);
  added.push_back({"authorization", std::move(authorization)});
  return added;
}

std::string Signer::presign(const Presign& request) const {
  if (request.expires_in < std::chrono::seconds{1} || request.expires_in > kLongestPresign) {
    throw Error(ErrorKind::invalid_argument, "signed URLs are valid for one second to seven days");
  }
  const Moment& now = moment(request.at);
  const bool plain = request.headers == nullptr || request.headers->empty();
  Pairs headers;
  if (!plain) headers = presigned_headers(request);
  const std::string names = plain ? "host" : joined_names(headers);

  // Sorted by encoded name, the extra ones merged in between the signature's own.
  std::string query;
  query.reserve(512);
  const Pairs extra = encoded_query(request);
  auto next = extra.begin();
  const auto add = [&](std::string_view name, std::string_view value) {
    for (; next != extra.end() && next->first < name; ++next) append_parameter(query, next->first, next->second);
    append_parameter(query, name, value);
  };
  add("X-Amz-Algorithm", kAlgorithm);
  add("X-Amz-Credential", now.encoded_scope);
  add("X-Amz-Date", now.date);
  add("X-Amz-Expires", std::to_string(request.expires_in.count()));
  if (!encoded_token_.empty()) add("X-Amz-Security-Token", encoded_token_);
  add("X-Amz-SignedHeaders", plain ? names : uri_encode(names, Slash::encode));
  for (; next != extra.end(); ++next) append_parameter(query, next->first, next->second);

  canonical_.assign(request.method);
  for (const std::string_view part : {request.path, std::string_view(query)}) {
    canonical_ += '\n';
    canonical_ += part;
  }
  canonical_ += '\n';
  if (plain) {
    canonical_ += "host:";
    canonical_ += request.host;
    canonical_ += '\n';
  }
  for (const auto& [name, value] : headers) {
    canonical_ += name;
    canonical_ += ':';
    canonical_ += value;
    canonical_ += '\n';
  }
  canonical_ += '\n';
  canonical_ += names;
  canonical_ += "\nUNSIGNED-PAYLOAD";

  std::string url;
  url.reserve(request.origin.size() + request.path.size() + query.size() + 100);
  url += request.origin;
  url += request.path;
  url += '?';
  url += query;
  url += "&X-Amz-Signature=";
  append_signature(url, now, canonical_);
  return url;
}

}  // namespace audiostore::store::s3
