#include "store/local/store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/encoding.hpp"
#include "store/local/attributes.hpp"
#include "store/local/failure.hpp"
#include "store/local/key.hpp"
#include "store/local/object.hpp"
#include "store/local/removal.hpp"
#include "store/local/staging.hpp"

namespace audiostore::store::local {
namespace {

constexpr std::size_t kReadPiece = std::size_t{256} << 10;
// Smaller objects are read sooner than handed over.
constexpr off_t kOffloadAbove = off_t{64} << 10;
constexpr auto kCleanUpEvery = std::chrono::hours{1};
constexpr auto kCursorLives = std::chrono::seconds{60};

struct OpenObject {
  Descriptor file;
  struct stat status {};
};

// None when there is no object of this key, be it that a directory has the name.
std::optional<OpenObject> open_object(const Root& root, const std::string& key) {
  // O_NONBLOCK: opening a pipe that somebody put there must not wait for a writer.
  OpenObject object{.file = root.open(key, O_RDONLY | O_NONBLOCK), .status = {}};
  if (!object.file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw failure(errno, "could not open object", key);
  }
  if (fstat(object.file.get(), &object.status) != 0) throw failure(errno, "could not open object", key);
  if (S_ISDIR(object.status.st_mode)) return std::nullopt;
  if (!S_ISREG(object.status.st_mode)) {
    throw Error(ErrorKind::invalid_key, "could not open object \"" + key + "\"", "It is not a regular file.",
                "Something else than this store put it there; remove it by hand.");
  }
  return object;
}

Error not_found(const std::string& key) { return {ErrorKind::not_found, "object \"" + key + "\" does not exist"}; }

void read_range(const OpenObject& object, const std::string& key, Range range, const Sink& sink) {
  const auto size = static_cast<std::uint64_t>(object.status.st_size);
  if (range.start > 0 && range.start >= size) {
    throw Error(
        ErrorKind::invalid_argument, "range starts beyond the end of object \"" + key + "\"",
        "The object has " + std::to_string(size) + " bytes; the range starts at " + std::to_string(range.start) + ".");
  }
  std::uint64_t left = std::min(range.length.value_or(size), size - range.start);
  Bytes buffer(static_cast<std::size_t>(std::min<std::uint64_t>(left, kReadPiece)), '\0');
  for (std::uint64_t at = range.start; left > 0;) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const ssize_t got = pread(object.file.get(), buffer.data(), piece, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw failure(errno, "could not read object", key);
    if (got == 0) throw Error(ErrorKind::interrupted, "object \"" + key + "\" shrank while it was read");
    const auto bytes = static_cast<std::size_t>(got);
    sink(BytesView(buffer.data(), bytes));
    at += bytes;
    left -= bytes;
  }
}

ObjectInfo describe_with_attributes(const OpenObject& object, std::string key) {
  ObjectInfo info = describe(object.status, std::move(key));
  Attributes attributes = read_attributes(object.file.get());
  info.content_type = std::move(attributes.content_type);
  info.metadata = std::move(attributes.metadata);
  return info;
}

Error no_storage_classes() {
  return {ErrorKind::unsupported,
          "local stores have no storage classes",
          {},
          "Move the object to another store instead, for example with the server option archive_store."};
}

std::string strip(const std::string& key, const std::string& prefix) { return key.substr(prefix.size()); }

}  // namespace

LocalStore::LocalStore(Settings settings, const Clock& clock, Random& random, http::Client* client)
    : settings_(std::move(settings)), clock_(clock), random_(random), client_(client) {}

std::string LocalStore::whole(const std::string& key) const {
  // An empty or absolute key must not turn into a valid one by its prefix.
  std::string name = key.empty() || key.front() == '/' ? key : settings_.prefix + key;
  local::check_key(name);
  return name;
}

void LocalStore::check_key(std::string_view key) const { (void)whole(std::string(key)); }

void LocalStore::clean_up(const Root& root) {
  const TimePoint now = clock_.now();
  if (cleaned_up_ && now - *cleaned_up_ < kCleanUpEvery) return;
  cleaned_up_ = now;
  remove_stale_files(root, now);
}

struct LocalStore::Put {
  const std::string& name;
  const Body& body;
  const Attributes& attributes;
  std::uint64_t seed = 0;  // of the temporary name
  struct stat status {};
};

// May run on another thread: nothing of the store changes.
void LocalStore::write(Put& put) const {
  SeededRandom random(put.seed);
  const Root root = open_root();
  StagedFile file(root, random, put.name);
  if (put.body.descriptor() < 0) {
    Bytes none;
    file.write(put.body.read(0, put.body.size(), none));
  } else {
    lseek(put.body.descriptor(), 0, SEEK_SET);
    file.copy_from(put.body.descriptor(), put.body.size());
  }
  write_attributes(file.fd(), put.attributes, put.name);
  file.publish();
  if (fstat(file.fd(), &put.status) != 0) throw failure(errno, "could not read the attributes of object", put.name);
}

Task<ObjectInfo> LocalStore::put(std::string key, Body body, PutOptions options) {
  const std::string name = whole(key);
  if (!options.storage_class.empty() && options.storage_class != "STANDARD") throw no_storage_classes();
  Attributes attributes;
  if (!options.content_type.empty()) attributes.content_type = options.content_type;
  attributes.metadata = std::move(options.metadata);
  check_attributes(attributes, name);
  cursor_.reset();
  clean_up(open_root());
  Put put{.name = name, .body = body, .attributes = attributes, .seed = random_.bits()};
  if (client_ != nullptr) {
    const std::function<void()> work = [this, &put] { write(put); };
    Task<void> writing = client_->offload(work);
    co_await writing;
  } else {
    write(put);
  }
  ObjectInfo info = describe(put.status, std::move(key));
  info.content_type = std::move(attributes.content_type);
  info.metadata = std::move(attributes.metadata);
  co_return info;
}

Task<ObjectInfo> LocalStore::get(std::string key, Range range, Sink sink) {
  const std::string name = whole(key);
  const Root root = open_root();
  const std::optional<OpenObject> object = open_object(root, name);
  if (!object) throw not_found(name);
  if (client_ != nullptr && object->status.st_size > kOffloadAbove) {
    const std::function<void()> work = [&] { read_range(*object, name, range, sink); };
    Task<void> reading = client_->offload(work);
    co_await reading;
  } else {
    read_range(*object, name, range, sink);
  }
  co_return describe_with_attributes(*object, std::move(key));
}

Task<std::optional<ObjectInfo>> LocalStore::head(std::string key) {
  const std::string name = whole(key);
  const Root root = open_root();
  const std::optional<OpenObject> object = open_object(root, name);
  if (!object) co_return std::nullopt;
  co_return describe_with_attributes(*object, std::move(key));
}

Walk LocalStore::take_walk(const ListQuery& query) {
  std::optional<Cursor> cursor = std::exchange(cursor_, std::nullopt);
  if (cursor && !query.after.empty() && cursor->prefix == query.prefix && cursor->resume == query.after &&
      clock_.now() - cursor->made < kCursorLives) {
    return std::move(cursor->walk);
  }
  return {settings_.prefix + query.prefix, query.after.empty() ? std::string{} : settings_.prefix + query.after};
}

// Files that a write left behind, or is busy with. They have no keys yet, so they are named by where they lie, and only
// a listing of everything shows them.
ListPage LocalStore::list_unfinished(const Root& root, const ListQuery& query) const {
  ListPage page;
  const std::string directory = std::string(kStagingDirectory) + "/";
  if (!settings_.prefix.empty() || !directory.starts_with(query.prefix.substr(0, directory.size()))) return page;
  for (ObjectInfo& file : staged_files(root)) {
    file.etag = file.key;
    file.key = directory + file.key;
    if (file.key.starts_with(query.prefix) && file.key > query.after) page.objects.push_back(std::move(file));
  }
  std::sort(page.objects.begin(), page.objects.end(),
            [](const ObjectInfo& a, const ObjectInfo& b) { return a.key < b.key; });
  page.more = page.objects.size() > query.limit;
  if (page.more) {
    page.objects.resize(std::max<std::size_t>(query.limit, 1));
    page.resume = page.objects.back().key;
  }
  return page;
}

Task<ListPage> LocalStore::list(ListQuery query) {
  const Root root = open_root();
  if (query.unfinished) co_return list_unfinished(root, query);
  if (query.after.empty()) clean_up(root);
  const TimePoint made = cursor_ && cursor_->resume == query.after ? cursor_->made : clock_.now();
  Walk walk = take_walk(query);
  ListPage page;
  const std::size_t limit = std::max<std::size_t>(query.limit, 1);
  while (page.objects.size() < limit) {
    std::optional<ObjectInfo> object = walk.next(root);
    if (!object) break;
    object->key = strip(object->key, settings_.prefix);
    // A prefix in the middle of a name leaves keys such as "/x" that no call could name.
    if (object->key.empty() || object->key.front() == '/') continue;
    page.objects.push_back(std::move(*object));
  }
  page.more = page.objects.size() == limit && !walk.exhausted();
  if (page.more) {
    page.resume = page.objects.back().key;
    walk.rest();
    cursor_ = Cursor{.prefix = query.prefix, .resume = page.resume, .made = made, .walk = std::move(walk)};
  }
  co_return page;
}

Task<std::vector<RemoveOutcome>> LocalStore::remove(std::vector<std::string> keys) {
  if (keys.size() > max_remove_batch()) {
    throw Error(ErrorKind::invalid_argument, "too many keys in one removal",
                std::to_string(keys.size()) + " keys; at most 1000 are possible.");
  }
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const std::string& key : keys) {
    // An empty or absolute key must not turn into a valid one by its prefix.
    names.push_back(key.empty() || key.front() == '/' ? key : settings_.prefix + key);
  }
  std::vector<std::optional<Error>> errors = remove_files(open_root(), names);
  std::vector<RemoveOutcome> outcomes;
  outcomes.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    outcomes.push_back({.key = std::move(keys[i]), .error = std::move(errors[i])});
  }
  co_return outcomes;
}

Task<void> LocalStore::copy(std::string key, const Store& to, std::string to_key) {
  const auto* target = dynamic_cast<const LocalStore*>(&to);
  if (target == nullptr) {
    throw Error(ErrorKind::unsupported, "a local store can only copy into another local store");
  }
  const std::string name = whole(key);
  const std::string to_name = target->whole(to_key);
  cursor_.reset();
  const Root root = open_root();
  const std::optional<OpenObject> object = open_object(root, name);
  if (!object) throw not_found(name);
  const Root to_root = target->open_root();
  StagedFile file(to_root, random_, to_name);
  file.copy_from(object->file.get(), static_cast<std::uint64_t>(object->status.st_size));
  write_attributes(file.fd(), read_attributes(object->file.get()), to_name);
  file.publish();
  co_return;
}

Task<void> LocalStore::set_storage_class(std::string /*key*/, std::string /*storage_class*/) {
  throw no_storage_classes();
  co_return;
}

// The URL under which a web server serves the file: nothing is signed, and nothing expires.
std::string LocalStore::signed_url(const SignedUrlRequest& request) const {
  const std::string name = whole(request.key);
  if (settings_.public_url.empty()) {
    throw Error(ErrorKind::unsupported, "a local store without the option public_url has no URLs", {},
                "Set the server option public_url to where a web server serves the store's root directory.");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    throw Error(ErrorKind::unsupported, "a local store has no URLs for " + request.method, {},
                "Use put_object and delete_object instead.");
  }
  if (!request.headers.empty()) {
    throw Error(ErrorKind::unsupported, "a local store's URLs cannot demand headers");
  }
  std::string url = settings_.public_url;
  if (!url.ends_with('/')) url += '/';
  append_uri_encoded(url, name, Slash::keep);
  char separator = '?';
  for (const auto& [parameter, value] : request.query) {
    url += std::exchange(separator, '&');
    append_uri_encoded(url, parameter, Slash::encode);
    url += '=';
    append_uri_encoded(url, value, Slash::encode);
  }
  return url;
}

bool LocalStore::can_copy_to(const Store& to) const { return dynamic_cast<const LocalStore*>(&to) != nullptr; }

}  // namespace audiostore::store::local
