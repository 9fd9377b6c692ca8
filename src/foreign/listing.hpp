// The keys of a store, page by page, as rows. The next page is asked for while the rows of this one are read.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "foreign/key_range.hpp"
#include "foreign/stores.hpp"

namespace audiostore::foreign {

class Listing {
 public:
  static constexpr std::size_t kPageKeys = 1000;

  // wanted: how many objects will probably be read; 0: all.
  Listing(std::shared_ptr<OpenStore> store, KeyRange range, std::size_t wanted = 0);
  ~Listing();
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  // The next object of the range in key order, valid until the next call; null at the end.
  const store::ObjectInfo* next();

  // Back to the first object. Asks the store again only when there was more than one page.
  void rewind();

  std::uint64_t requests() const { return requests_; }

 private:
  bool turn_page();
  void ask_ahead();
  Task<store::ListPage> ask();
  void warn_of_unusable_keys();

  std::shared_ptr<OpenStore> store_;
  KeyRange range_;
  std::size_t wanted_;
  store::ListQuery query_;
  store::ListPage page_;
  std::size_t position_ = 0;     // in the page
  std::size_t before_page_ = 0;  // objects on earlier pages
  bool first_ = true;
  bool ended_ = false;
  std::uint64_t requests_ = 0;
  std::uint64_t unusable_keys_ = 0;
  std::optional<Task<store::ListPage>> ahead_;
};

// The columns that a listing has, in the order of list_objects() and of imported foreign tables.
enum class Field { key, size, etag, last_modified, storage_class };
inline constexpr std::size_t kFields = 5;

// One object's values, made in the current memory context. What the store says and PostgreSQL cannot hold is NULL.
std::array<NullableDatum, kFields> values_of(const store::ObjectInfo& object);
NullableDatum text_value(std::string_view text);

}  // namespace audiostore::foreign
