// Octets as they travel: object bodies, digests, request bodies. std::string holds them because every
// library at our edges (libcurl, OpenSSL, PostgreSQL) takes pointer and length.
#pragma once

#include <string>
#include <string_view>

namespace audiostore {

using Bytes = std::string;
using BytesView = std::string_view;

}  // namespace audiostore
