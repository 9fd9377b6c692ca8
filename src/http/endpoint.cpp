#include "http/endpoint.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.hpp"

namespace audiostore::http {
namespace {

using Octets4 = std::array<unsigned char, 4>;
using Octets16 = std::array<unsigned char, 16>;

bool parse_ip4(const std::string& text, Octets4& out) { return inet_pton(AF_INET, text.c_str(), out.data()) == 1; }
bool parse_ip6(const std::string& text, Octets16& out) { return inet_pton(AF_INET6, text.c_str(), out.data()) == 1; }

bool is_private(const Octets4& ip) {
  return ip[0] == 127 || ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xF0U) == 16) || (ip[0] == 192 && ip[1] == 168);
}

bool is_private(const Octets16& ip) {
  constexpr Octets16 kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::equal(kMapped.begin(), kMapped.end(), ip.begin()))
    return is_private(Octets4{ip[12], ip[13], ip[14], ip[15]});
  return ip == kLoopback || (ip[0] & 0xFEU) == 0xFC || (ip[0] == 0xFE && (ip[1] & 0xC0U) == 0x80);
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && host.front() != '.' && host.back() != '.' && host.front() != '-' &&
         host.find("..") == std::string_view::npos && std::all_of(host.begin(), host.end(), [](char c) {
           return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
         });
}

std::string without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return std::string(host);
}

}  // namespace

std::string Endpoint::authority() const { return port == 0 ? host : host + ":" + std::to_string(port); }

bool Endpoint::is_ip_address() const {
  Octets4 ip4{};
  return host.starts_with('[') || parse_ip4(host, ip4);
}

bool is_private_host(std::string_view host) {
  Octets4 ip4{};
  Octets16 ip6{};
  const std::string plain = without_brackets(host);
  if (parse_ip4(plain, ip4)) return is_private(ip4);
  if (parse_ip6(plain, ip6)) return is_private(ip6);
  if (plain == "localhost" || plain.ends_with(".localhost")) return true;
  // 134744072, 0x8080808 and 8.8.2056 are addresses to a resolver, so a private name starts with a letter.
  if (plain.empty() || !is_letter(plain.front())) return false;
  return plain.find('.') == std::string::npos || plain.ends_with(".local") || plain.ends_with(".internal");
}

Endpoint parse_endpoint(std::string_view option, std::string_view value) {
  const auto invalid = [&](std::string detail, std::string hint) {
    return Error(ErrorKind::invalid_option, "invalid value for option \"" + std::string(option) + "\"",
                 std::move(detail), std::move(hint));
  };
  const auto malformed = [&] {
    return invalid("It is not of the form scheme://host[:port].", "For example: https://s3.example.com");
  };
  Endpoint endpoint;
  std::string text = lower(value);
  if (text.ends_with('/')) text.pop_back();
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string::npos) throw malformed();
  endpoint.scheme = text.substr(0, scheme_end);
  if (endpoint.scheme != "http" && endpoint.scheme != "https") {
    throw invalid("Its scheme is neither https nor http.", "For example: https://s3.example.com");
  }
  std::string rest = text.substr(scheme_end + 3);
  const std::size_t host_end = rest.starts_with('[') ? rest.find(']') + 1 : rest.find(':');
  endpoint.host = rest.substr(0, host_end);
  if (host_end != std::string::npos && host_end < rest.size()) {
    const std::string_view port = std::string_view(rest).substr(host_end + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (rest[host_end] != ':' || error != std::errc{} || end != port.data() + port.size() || endpoint.port < 1 ||
        endpoint.port > 65535) {
      throw malformed();
    }
  }
  Octets16 ip6{};
  const bool valid =
      endpoint.host.starts_with('[') ? parse_ip6(without_brackets(endpoint.host), ip6) : is_host_name(endpoint.host);
  if (!valid) throw malformed();
  if (endpoint.port == (endpoint.scheme == "https" ? 443 : 80)) endpoint.port = 0;
  if (endpoint.scheme == "http" && !is_private_host(endpoint.host)) {
    throw invalid("Plain http is allowed to loopback and private networks only.", "Use https.");
  }
  return endpoint;
}

}  // namespace audiostore::http
