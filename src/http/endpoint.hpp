// A server's address as an option gives it: scheme, host, perhaps a port, nothing else. Plain http is for
// loopback and private networks only, decided by the host as written, without asking the DNS.
#pragma once

#include <string>
#include <string_view>

namespace audiostore::http {

struct Endpoint {
  std::string scheme;  // "https" or "http"
  std::string host;    // lower case; an IPv6 address in brackets
  int port = 0;        // 0: the scheme's own

  // What the Host header says: the port only where it is not the scheme's own.
  std::string authority() const;
  std::string url() const { return scheme + "://" + authority(); }
  bool is_ip_address() const;
  bool operator==(const Endpoint&) const = default;
};

// Throws Error(invalid_option) that names the option.
Endpoint parse_endpoint(std::string_view option, std::string_view value);

// Loopback, private address ranges, single-label names, *.localhost, *.local and *.internal.
bool is_private_host(std::string_view host);

}  // namespace audiostore::http
