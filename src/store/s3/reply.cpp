#include "store/s3/reply.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/encoding.hpp"
#include "base/time_format.hpp"
#include "base/xml.hpp"
#include "store/s3/requests.hpp"

namespace audiostore::store::s3 {
namespace {

Error bad(std::string detail) {
  return {ErrorKind::bad_reply, "the S3 server sent an invalid reply", std::move(detail)};
}

struct KnownCode {
  std::string_view code;
  ErrorKind kind;
};

// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and what Ceph and MinIO add.
constexpr std::array kKnownCodes{
    KnownCode{"NoSuchKey", ErrorKind::not_found},
    KnownCode{"NoSuchBucket", ErrorKind::no_such_bucket},
    KnownCode{"PermanentRedirect", ErrorKind::no_such_bucket},
    KnownCode{"IllegalLocationConstraintException", ErrorKind::no_such_bucket},
    KnownCode{"AccessDenied", ErrorKind::access_denied},
    KnownCode{"AllAccessDisabled", ErrorKind::access_denied},
    KnownCode{"AccountProblem", ErrorKind::access_denied},
    KnownCode{"AuthorizationHeaderMalformed", ErrorKind::access_denied},
    KnownCode{"AuthorizationQueryParametersError", ErrorKind::access_denied},
    KnownCode{"ExpiredToken", ErrorKind::access_denied},
    KnownCode{"InvalidAccessKeyId", ErrorKind::access_denied},
    KnownCode{"InvalidPayer", ErrorKind::access_denied},
    KnownCode{"InvalidSecurity", ErrorKind::access_denied},
    KnownCode{"InvalidToken", ErrorKind::access_denied},
    KnownCode{"NotSignedUp", ErrorKind::access_denied},
    KnownCode{"RequestTimeTooSkewed", ErrorKind::access_denied},
    KnownCode{"SignatureDoesNotMatch", ErrorKind::access_denied},
    KnownCode{"TokenRefreshRequired", ErrorKind::access_denied},
    KnownCode{"UserSuspended", ErrorKind::access_denied},
    KnownCode{"ConditionalRequestConflict", ErrorKind::precondition_failed},
    KnownCode{"InvalidObjectState", ErrorKind::precondition_failed},
    KnownCode{"PreconditionFailed", ErrorKind::precondition_failed},
    KnownCode{"Busy", ErrorKind::throttled},
    KnownCode{"OperationAborted", ErrorKind::throttled},
    KnownCode{"RequestLimitExceeded", ErrorKind::throttled},
    KnownCode{"SlowDown", ErrorKind::throttled},
    KnownCode{"SlowDownRead", ErrorKind::throttled},
    KnownCode{"SlowDownWrite", ErrorKind::throttled},
    KnownCode{"Throttling", ErrorKind::throttled},
    KnownCode{"ThrottlingException", ErrorKind::throttled},
    KnownCode{"TooManyRequests", ErrorKind::throttled},
    KnownCode{"ServiceUnavailable", ErrorKind::unavailable},
    KnownCode{"TemporaryRedirect", ErrorKind::unavailable},
    KnownCode{"RequestTimeout", ErrorKind::timeout},
    KnownCode{"InternalError", ErrorKind::server_error},
    KnownCode{"BadDigest", ErrorKind::interrupted},
    KnownCode{"IncompleteBody", ErrorKind::interrupted},
    KnownCode{"NoSuchUpload", ErrorKind::interrupted},
    KnownCode{"XAmzContentSHA256Mismatch", ErrorKind::interrupted},
    KnownCode{"EntityTooLarge", ErrorKind::too_large},
    KnownCode{"MaxMessageLengthExceeded", ErrorKind::too_large},
    KnownCode{"MetadataTooLarge", ErrorKind::too_large},
    KnownCode{"RequestHeaderSectionTooLarge", ErrorKind::too_large},
    KnownCode{"KeyTooLongError", ErrorKind::invalid_key},
    KnownCode{"KeyTooLong", ErrorKind::invalid_key},
    KnownCode{"InvalidURI", ErrorKind::invalid_key},
    KnownCode{"InvalidRange", ErrorKind::invalid_argument},
    KnownCode{"MethodNotAllowed", ErrorKind::unsupported},
    KnownCode{"NotImplemented", ErrorKind::unsupported},
    KnownCode{"InsufficientCapacity", ErrorKind::store_full},
    KnownCode{"QuotaExceeded", ErrorKind::store_full},
    KnownCode{"XMinioStorageFull", ErrorKind::store_full},
};

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 401:
    case 403: return ErrorKind::access_denied;
    case 405:
    case 501: return ErrorKind::unsupported;
    case 408: return ErrorKind::timeout;
    case 409:
    case 429: return ErrorKind::throttled;
    case 412: return ErrorKind::precondition_failed;
    case 413: return ErrorKind::too_large;
    case 503: return ErrorKind::unavailable;
    case 507: return ErrorKind::store_full;
    default: break;
  }
  if (status >= 500) return ErrorKind::server_error;
  if (status >= 300 && status < 400) return ErrorKind::no_such_bucket;
  // An S3 server says NoSuchKey or NoSuchBucket; this one may be a proxy or the wrong host.
  if (status == 404 || status < 400) return ErrorKind::bad_reply;
  return ErrorKind::invalid_argument;
}

std::string hint_for(const Failure& failure) {
  if (!failure.region.empty()) return "The bucket is in region " + failure.region + ": check the option region.";
  const std::string_view code = failure.code;
  if (code == "RequestTimeTooSkewed") return "The clocks of this server and of the store differ: check both.";
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch") {
    return "Check access_key_id and secret_access_key in the user mapping.";
  }
  if (code == "ExpiredToken" || code == "InvalidToken") return "Check session_token in the user mapping.";
  if (code == "InvalidObjectState") return "The object is archived: restore it first.";
  if (code == "NoSuchBucket") return "Check the options bucket, region and endpoint.";
  if (code.empty() && failure.status == 404) return "The server may not speak S3: check the option endpoint.";
  if (code.empty() && failure.status == 403) {
    return "Without the permission s3:ListBucket, S3 answers like this also for objects that do not exist.";
  }
  return {};
}

std::uint64_t number(std::string_view text, const char* what) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    throw bad(std::string(what) + " is not a number");
  }
  return value;
}

std::string required(pugi::xml_node node, std::string_view name) {
  auto value = xml::child_text(node, name);
  if (!value) throw bad("element " + std::string(name) + " is missing");
  return *std::move(value);
}

pugi::xml_node root_named(const xml::Document& document, std::string_view name) {
  const pugi::xml_node root = document.root();
  if (xml::name(root) != name) {
    throw bad("its root element is \"" + printable(xml::name(root), 100) + "\", not " + std::string(name));
  }
  return root;
}

Failure failure_from(pugi::xml_node error, int status) {
  const auto field = [&](std::string_view name) {
    return printable(xml::child_text(error, name).value_or(std::string()), 500);
  };
  return {status, field("Code"), field("Message"), field("RequestId"), field("Region")};
}

std::string storage_class_or_standard(std::string storage_class) {
  return storage_class.empty() ? "STANDARD" : storage_class;
}

}  // namespace

Failure read_failure(const http::Response& response) {
  Failure failure{response.status, {}, {}, {}, {}};
  if (response.body.find('<') != std::string::npos) {
    try {
      const xml::Document document = xml::Document::parse(response.body);
      if (xml::name(document.root()) == "Error") {
        failure = failure_from(document.root(), response.status);
      } else if (const pugi::xml_node error = xml::child(document.root(), "Error")) {
        failure = failure_from(error, response.status);
      }
    } catch (const Error& error) {
      // A proxy's HTML: the status has to do.
      failure.message = error.detail();
    }
  }
  if (failure.request_id.empty()) {
    failure.request_id = printable(http::find(response.headers, "x-amz-request-id").value_or(""), 200);
  }
  if (failure.region.empty()) {
    failure.region = printable(http::find(response.headers, "x-amz-bucket-region").value_or(""), 100);
    // Sent with many replies; it explains only those that say that the bucket is elsewhere.
    const bool elsewhere = response.status / 100 == 3 || response.status == 400;
    if (!elsewhere) failure.region.clear();
  }
  return failure;
}

ErrorKind kind_of(int status, std::string_view code) {
  const auto known =
      std::find_if(kKnownCodes.begin(), kKnownCodes.end(), [&](const KnownCode& k) { return k.code == code; });
  if (known != kKnownCodes.end()) return known->kind;
  if (!code.empty() && status == 404) return ErrorKind::not_found;
  if (!code.empty() && status < 300) return ErrorKind::server_error;  // inside a 200 reply
  return kind_of_status(status);
}

Error to_error(const Failure& failure, std::string what) {
  const ErrorKind kind = kind_of(failure.status, failure.code);
  std::string detail = "The server answered ";
  detail += failure.status != 0 ? std::to_string(failure.status) : std::string();
  if (!failure.code.empty()) detail += (failure.status != 0 ? " " : "") + failure.code;
  if (!failure.message.empty()) detail += ": " + failure.message;
  if (!failure.request_id.empty()) detail += " (request " + failure.request_id + ")";
  return {kind, std::move(what), std::move(detail), hint_for(failure)};
}

ObjectInfo read_object_headers(const http::Response& response, std::string key) {
  constexpr std::string_view kMetadata = "x-amz-meta-";
  ObjectInfo info;
  info.key = std::move(key);
  for (const http::Header& header : response.headers) {
    std::string name = header.name;
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (name == "etag") {
      info.etag = unquote(header.value);
    } else if (name == "last-modified") {
      info.last_modified = parse_rfc1123(header.value).value_or(TimePoint{});
    } else if (name == "content-type") {
      info.content_type = header.value;
    } else if (name == "x-amz-storage-class") {
      info.storage_class = header.value;
    } else if (name == "content-length" && response.status != 206) {
      info.size = number(header.value, "Content-Length");
    } else if (name.size() > kMetadata.size() && name.starts_with(kMetadata)) {
      info.metadata[name.substr(kMetadata.size())] = decode_metadata(header.value);
    }
  }
  if (response.status == 206) info.size = read_content_range(response).total;
  info.storage_class = storage_class_or_standard(std::move(info.storage_class));
  const auto readable = [](const std::string& text) { return is_utf8(text); };
  bool sound = readable(info.etag) && readable(info.content_type) && readable(info.storage_class);
  for (const auto& [name, value] : info.metadata) sound = sound && readable(name) && readable(value);
  if (!sound) throw bad("a header is not valid UTF-8");
  return info;
}

ContentRange read_content_range(const http::Response& response) {
  constexpr std::string_view kUnit = "bytes ";
  std::string_view text = http::find(response.headers, "content-range").value_or("");
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (!text.starts_with(kUnit) || dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) {
    throw bad("Content-Range is missing or malformed");
  }
  ContentRange range;
  range.first = number(text.substr(kUnit.size(), dash - kUnit.size()), "Content-Range");
  range.last = number(text.substr(dash + 1, slash - dash - 1), "Content-Range");
  range.total = number(text.substr(slash + 1), "Content-Range");
  if (range.first > range.last || range.last >= range.total) throw bad("Content-Range contradicts itself");
  return range;
}

Listing read_listing(BytesView body, std::string_view prefix, std::string_view after) {
  const xml::Document document = xml::Document::parse(body);
  const pugi::xml_node root = root_named(document, "ListBucketResult");
  const bool encoded = xml::child_text(root, "EncodingType").value_or(std::string()) == "url";
  Listing listing;
  const std::string truncated = required(root, "IsTruncated");
  if (truncated != "true" && truncated != "false") throw bad("IsTruncated is neither true nor false");
  listing.truncated = truncated == "true";
  std::string last(after);
  for (const pugi::xml_node item : root.children()) {
    if (item.type() != pugi::node_element || xml::name(item) != "Contents") continue;
    ObjectInfo info;
    info.key = required(item, "Key");
    if (encoded) {
      auto decoded = uri_decode(info.key, Plus::space);
      if (!decoded) throw bad("a key is not percent-encoded");
      info.key = *std::move(decoded);
    }
    if (info.key.empty() || !is_utf8(info.key) || info.key.find('\0') != std::string::npos)
      throw bad("a key is empty or not valid UTF-8");
    if (!info.key.starts_with(prefix)) throw bad("a key does not have the prefix that was asked for");
    if (info.key <= last) throw bad("keys are not in ascending order");
    last = info.key;
    info.size = number(required(item, "Size"), "Size");
    info.etag = unquote(xml::child_text(item, "ETag").value_or(std::string()));
    const auto modified = parse_iso8601(required(item, "LastModified"));
    if (!modified) throw bad("LastModified is not a time");
    info.last_modified = *modified;
    info.storage_class = storage_class_or_standard(xml::child_text(item, "StorageClass").value_or(std::string()));
    if (!is_utf8(info.etag) || !is_utf8(info.storage_class)) throw bad("an attribute is not valid UTF-8");
    listing.objects.push_back(std::move(info));
  }
  if (listing.truncated && listing.objects.empty()) throw bad("a page without keys says that more follow");
  return listing;
}

namespace {

bool looks_encoded(std::string_view key) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.~*/!'()").find(c) != std::string_view::npos;
  };
  for (std::size_t i = 0; i < key.size(); i++) {
    if (key[i] == '%' && uri_decode(key.substr(i, 3), Plus::literal).value_or("%%").size() == 1) {
      i += 2;
    } else if (!plain(key[i])) {
      return false;
    }
  }
  return true;
}

// Ceph encodes the keys of uploads, as it was asked to, and does not say so: it is believed to if all of them can be
// that.
bool encoded_uploads(pugi::xml_node root) {
  if (const auto type = xml::child_text(root, "EncodingType")) return *type == "url";
  return std::all_of(root.begin(), root.end(), [](pugi::xml_node item) {
    return item.type() != pugi::node_element || xml::name(item) != "Upload" || looks_encoded(required(item, "Key"));
  });
}

}  // namespace

Listing read_uploads(BytesView body, std::string_view prefix, std::string_view after) {
  const xml::Document document = xml::Document::parse(body);
  const pugi::xml_node root = root_named(document, "ListMultipartUploadsResult");
  const bool encoded = encoded_uploads(root);
  const Plus plus = xml::child_text(root, "EncodingType") ? Plus::space : Plus::literal;
  Listing listing;
  const std::string truncated = required(root, "IsTruncated");
  if (truncated != "true" && truncated != "false") throw bad("IsTruncated is neither true nor false");
  listing.truncated = truncated == "true";
  std::string last(after);
  for (const pugi::xml_node item : root.children()) {
    if (item.type() != pugi::node_element || xml::name(item) != "Upload") continue;
    ObjectInfo info;
    info.key = required(item, "Key");
    if (encoded) {
      auto decoded = uri_decode(info.key, plus);
      if (!decoded) throw bad("a key is not percent-encoded");
      info.key = *std::move(decoded);
    }
    if (info.key.empty() || !is_utf8(info.key) || info.key.find('\0') != std::string::npos)
      throw bad("a key is empty or not valid UTF-8");
    if (!info.key.starts_with(prefix)) throw bad("a key does not have the prefix that was asked for");
    if (info.key < last) throw bad("keys are not in ascending order");
    last = info.key;
    info.etag = required(item, "UploadId");
    if (info.etag.empty() || !is_utf8(info.etag)) throw bad("an upload id is empty or not valid UTF-8");
    const auto begun = parse_iso8601(required(item, "Initiated"));
    if (!begun) throw bad("Initiated is not a time");
    info.last_modified = *begun;
    listing.objects.push_back(std::move(info));
  }
  if (listing.truncated && listing.objects.empty()) throw bad("a page without uploads says that more follow");
  return listing;
}

RemoveReply read_remove_reply(BytesView body) {
  const xml::Document document = xml::Document::parse(body);
  const pugi::xml_node root = root_named(document, "DeleteResult");
  RemoveReply reply;
  for (const pugi::xml_node item : root.children()) {
    if (item.type() != pugi::node_element) continue;
    if (xml::name(item) == "Deleted") {
      reply.removed.push_back(required(item, "Key"));
    } else if (xml::name(item) == "Error") {
      Failure failure = failure_from(item, 0);
      if (failure.code.empty()) throw bad("an error has no code");
      reply.failed.push_back({required(item, "Key"), std::move(failure)});
    }
  }
  return reply;
}

std::string unquote(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

std::string read_upload_id(BytesView body) {
  const xml::Document document = xml::Document::parse(body);
  std::string id = required(root_named(document, "InitiateMultipartUploadResult"), "UploadId");
  if (id.empty()) throw bad("UploadId is empty");
  return id;
}

std::optional<std::string> read_result_etag(BytesView body, std::string_view root) {
  const xml::Document document = xml::Document::parse(body);
  if (xml::name(document.root()) == "Error") return std::nullopt;
  return unquote(required(root_named(document, root), "ETag"));
}

}  // namespace audiostore::store::s3
