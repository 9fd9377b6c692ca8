// The store of provider `local`. Its calls do not wait for sockets: every task is done when start() returns, except
// that where there is a client to do so, puts and large gets run beside the caller's thread, sinks included.
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "http/client.hpp"
#include "store/local/root.hpp"
#include "store/local/walk.hpp"
#include "store/store.hpp"

namespace audiostore::store::local {

struct Settings {
  std::string root;
  std::string prefix;
  std::string public_url;
  Resolution resolution = Resolution::kernel;
};

class LocalStore final : public Store {
 public:
  // Clock, random and client (null: none) outlive the store.
  LocalStore(Settings settings, const Clock& clock, Random& random, http::Client* client = nullptr);

  void check_key(std::string_view key) const override;
  Task<ObjectInfo> put(std::string key, Body body, PutOptions options) override;
  Task<ObjectInfo> get(std::string key, Range range, Sink sink) override;
  Task<std::optional<ObjectInfo>> head(std::string key) override;
  Task<ListPage> list(ListQuery query) override;
  Task<std::vector<RemoveOutcome>> remove(std::vector<std::string> keys) override;
  Task<void> copy(std::string key, const Store& to, std::string to_key) override;
  Task<void> set_storage_class(std::string key, std::string storage_class) override;
  std::string signed_url(const SignedUrlRequest& request) const override;
  bool can_copy_to(const Store& to) const override;
  std::size_t max_remove_batch() const override { return 1000; }
  bool lists_side_by_side() const override { return false; }

 private:
  // A listing between two of its pages, so that a large directory is not read and sorted for each of them.
  struct Cursor {
    std::string prefix;
    std::string resume;
    TimePoint made;
    Walk walk;
  };

  std::string whole(const std::string& key) const;
  Root open_root() const { return Root(settings_.root, settings_.resolution); }
  void clean_up(const Root& root);
  struct Put;
  void write(Put& put) const;
  Walk take_walk(const ListQuery& query);
  ListPage list_unfinished(const Root& root, const ListQuery& query) const;

  Settings settings_;
  const Clock& clock_;
  Random& random_;
  http::Client* client_;
  std::optional<TimePoint> cleaned_up_;
  std::optional<Cursor> cursor_;
};

}  // namespace audiostore::store::local
