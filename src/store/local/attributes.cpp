#include "store/local/attributes.hpp"

#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "store/local/failure.hpp"

namespace audiostore::store::local {
namespace {

constexpr const char* kContentType = "user.audiostore.content_type";
constexpr const char* kMetadata = "user.audiostore.metadata";
constexpr std::size_t kMaxContentTypeBytes = 255;

void write_attribute(int fd, const char* name, std::string_view value, std::string_view key) {
  if (fsetxattr(fd, name, value.data(), value.size(), 0) == 0) return;
  if (errno == ENOTSUP || errno == EPERM) return;
  // What an ext4 without large attributes says when they do not fit into its one block.
  throw failure(errno == E2BIG ? ENOSPC : errno, "could not write the attributes of object", key);
}

// Empty where there is none. Others may write files into the root: an attribute is a claim, read with a limit.
std::string read_attribute(int fd, const char* name) {
  std::array<char, 8192> buffer{};
  const ssize_t size = fgetxattr(fd, name, buffer.data(), buffer.size());
  std::string value(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (!is_utf8(value) || value.find('\0') != std::string::npos) return {};
  return value;
}

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

void check_attributes(const Attributes& attributes, std::string_view key) {
  const auto refuse = [&](std::string detail) {
    throw Error(ErrorKind::invalid_argument,
                "content type or metadata of object \"" + std::string(key) + "\" cannot be stored", std::move(detail));
  };
  const std::string_view type = attributes.content_type;
  if (type.size() > kMaxContentTypeBytes) refuse("The content type is longer than 255 bytes.");
  if (!is_utf8(type) || has_control_characters(type)) refuse("The content type has control characters.");
  std::size_t bytes = 0;
  for (const auto& [name, value] : attributes.metadata) {
    bytes += name.size() + value.size();
    if (name.empty()) refuse("A metadata name is empty.");
    if (!is_utf8(name) || !is_utf8(value)) refuse("The metadata is not valid UTF-8.");
    if (has_control_characters(name) || has_control_characters(value)) {
      refuse("The metadata has control characters.");
    }
  }
  if (bytes > kMaxMetadataBytes) refuse("The metadata is larger than 2048 bytes.");
}

void write_attributes(int fd, const Attributes& attributes, std::string_view key) {
  if (attributes.content_type != kDefaultContentType) write_attribute(fd, kContentType, attributes.content_type, key);
  if (!attributes.metadata.empty()) {
    write_attribute(fd, kMetadata, nlohmann::json(attributes.metadata).dump(), key);
  }
}

Attributes read_attributes(int fd) {
  Attributes attributes;
  if (std::string type = read_attribute(fd, kContentType); !type.empty()) attributes.content_type = std::move(type);
  const auto json = nlohmann::json::parse(read_attribute(fd, kMetadata), nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) {
      if (value.is_string()) attributes.metadata.emplace(name, value.get<std::string>());
    }
  }
  return attributes;
}

}  // namespace audiostore::store::local
