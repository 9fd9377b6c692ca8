// S3's requests before they are signed: pure functions of bucket, key and arguments. Paths are encoded once,
// queries are sorted, header names are in lower case, as the signature wants them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"
#include "store/s3/options.hpp"
#include "store/store.hpp"

namespace audiostore::store::s3 {

struct Call {
  http::Method method = http::Method::get;
  std::string path;
  std::string query;
  http::Headers headers;
  Bytes body;
  BytesView body_view;  // instead of body

  BytesView payload() const { return body_view.data() != nullptr ? body_view : BytesView(body); }
};

// What an object gets besides its bytes.
struct Attributes {
  std::string content_type;
  Metadata metadata;
  http::Headers kept;  // Cache-Control and its like, taken over by a multipart copy
  std::string storage_class;
  std::string sse;
};

struct Part {
  int number = 0;  // from 1
  std::string etag;
};

struct CopySource {
  std::string bucket;
  std::string key;
  std::string etag;  // the copy fails when the source is another by then
};

// The path of a key, percent-encoded.
std::string path_of(const Location& location, std::string_view key);

Call put_object(const Location& location, std::string_view key, BytesView data, const Attributes& attributes);
Call get_object(const Location& location, std::string_view key, const Range& range);
Call head_object(const Location& location, std::string_view key);
Call head_bucket(const Location& location);
Call delete_object(const Location& location, std::string_view key);
// Keys that XML can carry. Each is prefix + key.
Call delete_objects(const Location& location, std::string_view prefix, const std::vector<std::string_view>& keys);
Call list_objects(const Location& location, std::string_view prefix, std::string_view after, std::size_t limit);

// Where a listing of unfinished uploads goes on: behind this upload of this key.
struct UploadMarker {
  std::string key;  // whole; empty: from the beginning
  std::string id;
};
Call list_uploads(const Location& location, std::string_view prefix, const UploadMarker& after, std::size_t limit);

// With attributes that differ from the source's (storage class, encryption); its metadata go along.
Call copy_object(const Location& location, std::string_view key, const CopySource& source,
                 const Attributes& attributes);

Call create_upload(const Location& location, std::string_view key, const Attributes& attributes);
Call upload_part(const Location& location, std::string_view key, std::string_view upload, int number, BytesView data);
Call copy_part(const Location& location, std::string_view key, std::string_view upload, int number,
               const CopySource& source, std::uint64_t first, std::uint64_t last);
Call complete_upload(const Location& location, std::string_view key, std::string_view upload,
                     const std::vector<Part>& parts);
Call abort_upload(const Location& location, std::string_view key, std::string_view upload);

// A metadata value as a header can carry it: text beyond ASCII becomes an encoded word (RFC 2047), as S3
// itself returns it. Reading back undoes it.
std::string encode_metadata(std::string_view value);
std::string decode_metadata(std::string_view header);

}  // namespace audiostore::store::s3
