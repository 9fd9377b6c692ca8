#include "store/s3/requests.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/xml.hpp"

namespace audiostore::store::s3 {
namespace {

using http::Method;

void append_parameter(std::string& query, std::string_view name, std::string_view value) {
  if (!query.empty()) query += '&';
  query += name;
  query += '=';
  append_uri_encoded(query, value, Slash::encode);
}

// A metadata name must be a token of HTTP to be a header's name.
std::string metadata_header(std::string_view name) {
  std::string header("x-amz-meta-");
  const auto sound = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (name.empty() || name.size() > 256 || !std::all_of(name.begin(), name.end(), sound)) {
    throw Error(ErrorKind::invalid_argument, "metadata name \"" + printable(name, 100) + "\" cannot be stored", {},
                "Names have ASCII letters, digits, hyphens, dots and underscores.");
  }
  for (const char c : name) header += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return header;
}

void add_placement(http::Headers& headers, const Attributes& attributes) {
  constexpr std::string_view kWithKey = "aws:kms:";
  if (!attributes.storage_class.empty()) headers.push_back({"x-amz-storage-class", attributes.storage_class});
  if (attributes.sse.starts_with(kWithKey)) {
    headers.push_back({"x-amz-server-side-encryption", "aws:kms"});
    headers.push_back({"x-amz-server-side-encryption-aws-kms-key-id", attributes.sse.substr(kWithKey.size())});
  } else if (!attributes.sse.empty()) {
    headers.push_back({"x-amz-server-side-encryption", attributes.sse});
  }
}

http::Headers object_headers(const Attributes& attributes) {
  http::Headers headers = attributes.kept;
  const bool has_type = !attributes.content_type.empty();
  headers.push_back({"content-type", has_type ? attributes.content_type : "application/octet-stream"});
  for (const auto& [name, value] : attributes.metadata) {
    headers.push_back({metadata_header(name), encode_metadata(value)});
  }
  add_placement(headers, attributes);
  return headers;
}

void add_source(http::Headers& headers, const CopySource& source) {
  headers.push_back({"x-amz-copy-source", "/" + source.bucket + "/" + uri_encode(source.key, Slash::keep)});
  if (!source.etag.empty()) headers.push_back({"x-amz-copy-source-if-match", "\"" + source.etag + "\""});
}

std::string part_query(int number, std::string_view upload) {
  std::string query = "partNumber=" + std::to_string(number);
  append_parameter(query, "uploadId", upload);
  return query;
}

std::string upload_query(std::string_view upload) {
  std::string query;
  append_parameter(query, "uploadId", upload);
  return query;
}

}  // namespace

std::string path_of(const Location& location, std::string_view key) {
  std::string path;
  path.reserve(location.base_path.size() + key.size() + 16);
  path += location.base_path;
  path += '/';
  append_uri_encoded(path, key, Slash::keep);
  return path;
}

Call put_object(const Location& location, std::string_view key, BytesView data, const Attributes& attributes) {
  Call call{Method::put, path_of(location, key), {}, object_headers(attributes), {}, {}};
  if (!data.empty()) call.body_view = data;
  return call;
}

Call get_object(const Location& location, std::string_view key, const Range& range) {
  Call call{Method::get, path_of(location, key), {}, {}, {}, {}};
  if (range.start > 0 || range.length) {
    std::string value = "bytes=" + std::to_string(range.start) + "-";
    if (range.length) {
      const std::uint64_t room = UINT64_MAX - range.start;
      value += std::to_string(range.start + std::min(room, *range.length - 1));
    }
    call.headers.push_back({"range", std::move(value)});
  }
  return call;
}

Call head_object(const Location& location, std::string_view key) {
  return {Method::head, path_of(location, key), {}, {}, {}, {}};
}

Call head_bucket(const Location& location) {
  return {Method::head, location.base_path.empty() ? "/" : location.base_path, {}, {}, {}, {}};
}

Call delete_object(const Location& location, std::string_view key) {
  return {Method::del, path_of(location, key), {}, {}, {}, {}};
}

Call delete_objects(const Location& location, std::string_view prefix, const std::vector<std::string_view>& keys) {
  std::string escaped_prefix;
  xml::append_escaped(escaped_prefix, prefix);
  std::string body;
  std::size_t size = 128;
  for (const std::string_view key : keys) size += key.size() + escaped_prefix.size() + 32;
  body.reserve(size);
  body +=
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
      "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
  for (const std::string_view key : keys) {
    body += "<Object><Key>";
    body += escaped_prefix;
    xml::append_escaped(body, key);
    body += "</Key></Object>";
  }
  body += "</Delete>";
  Call call{Method::post, location.base_path.empty() ? "/" : location.base_path, "delete=", {}, {}, {}};
  const Md5Digest digest = md5(body);
  call.headers.push_back({"content-md5", base64(view(digest))});
  call.headers.push_back({"content-type", "application/xml"});
  call.body = std::move(body);
  return call;
}

Call list_objects(const Location& location, std::string_view prefix, std::string_view after, std::size_t limit) {
  Call call{Method::get, location.base_path.empty() ? "/" : location.base_path, {}, {}, {}, {}};
  call.query = "encoding-type=url&list-type=2&max-keys=" + std::to_string(limit);
  if (!prefix.empty()) append_parameter(call.query, "prefix", prefix);
  if (!after.empty()) append_parameter(call.query, "start-after", after);
  return call;
}

Call list_uploads(const Location& location, std::string_view prefix, const UploadMarker& after, std::size_t limit) {
  Call call{Method::get, location.base_path.empty() ? "/" : location.base_path, {}, {}, {}, {}};
  call.query = "encoding-type=url";
  if (!after.key.empty()) append_parameter(call.query, "key-marker", after.key);
  append_parameter(call.query, "max-uploads", std::to_string(limit));
  if (!prefix.empty()) append_parameter(call.query, "prefix", prefix);
  if (!after.id.empty()) append_parameter(call.query, "upload-id-marker", after.id);
  append_parameter(call.query, "uploads", "");
  return call;
}

Call copy_object(const Location& location, std::string_view key, const CopySource& source,
                 const Attributes& attributes) {
  Call call{Method::put, path_of(location, key), {}, {}, {}, {}};
  add_source(call.headers, source);
  call.headers.push_back({"x-amz-metadata-directive", "COPY"});
  add_placement(call.headers, attributes);
  return call;
}

Call create_upload(const Location& location, std::string_view key, const Attributes& attributes) {
  return {Method::post, path_of(location, key), "uploads=", object_headers(attributes), {}, {}};
}

Call upload_part(const Location& location, std::string_view key, std::string_view upload, int number, BytesView data) {
  Call call{Method::put, path_of(location, key), part_query(number, upload), {}, {}, data};
  call.headers.push_back({"content-type", "application/octet-stream"});
  return call;
}

Call copy_part(const Location& location, std::string_view key, std::string_view upload, int number,
               const CopySource& source, std::uint64_t first, std::uint64_t last) {
  Call call{Method::put, path_of(location, key), part_query(number, upload), {}, {}, {}};
  add_source(call.headers, source);
  call.headers.push_back({"x-amz-copy-source-range", "bytes=" + std::to_string(first) + "-" + std::to_string(last)});
  return call;
}

Call complete_upload(const Location& location, std::string_view key, std::string_view upload,
                     const std::vector<Part>& parts) {
  Call call{Method::post, path_of(location, key), upload_query(upload), {}, {}, {}};
  call.headers.push_back({"content-type", "application/xml"});
  call.body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (const Part& part : parts) {
    call.body += "<Part><PartNumber>" + std::to_string(part.number) + "</PartNumber><ETag>&quot;";
    xml::append_escaped(call.body, part.etag);
    call.body += "&quot;</ETag></Part>";
  }
  call.body += "</CompleteMultipartUpload>";
  return call;
}

Call abort_upload(const Location& location, std::string_view key, std::string_view upload) {
  return {Method::del, path_of(location, key), upload_query(upload), {}, {}, {}};
}

std::string encode_metadata(std::string_view value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c < 0x7F; });
  const bool trimmed = value.empty() || (value.front() != ' ' && value.back() != ' ');
  // Signatures fold runs of spaces into one; some servers then disagree on what was signed.
  if (plain && trimmed && !value.starts_with("=?") && value.find("  ") == std::string_view::npos) {
    return std::string(value);
  }
  return "=?UTF-8?B?" + base64(value) + "?=";
}

std::string decode_metadata(std::string_view header) {
  constexpr std::string_view kStart = "=?UTF-8?";
  if (header.size() < kStart.size() + 4 || !header.ends_with("?=")) return std::string(header);
  std::string start(header.substr(0, kStart.size()));
  for (char& c : start) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  const std::string_view word = header.substr(kStart.size() + 2, header.size() - kStart.size() - 4);
  if (start != kStart || header[kStart.size() + 1] != '?' || word.find('?') != std::string_view::npos) {
    return std::string(header);
  }
  std::optional<std::string> decoded;
  switch (header[kStart.size()]) {
    case 'B':
    case 'b': decoded = base64_decode(word); break;
    case 'Q':
    case 'q': {
      std::string percent(word);
      // Quoted-printable in a header: =XX and _ for a space.
      for (std::size_t at = percent.find('%'); at != std::string::npos; at = percent.find('%', at + 3)) {
        percent.replace(at, 1, "=25");
      }
      std::replace(percent.begin(), percent.end(), '=', '%');
      std::replace(percent.begin(), percent.end(), '_', ' ');
      decoded = uri_decode(percent, Plus::literal);
      break;
    }
    default: break;
  }
  return decoded && is_utf8(*decoded) ? *decoded : std::string(header);
}

}  // namespace audiostore::store::s3
