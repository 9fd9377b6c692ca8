// Packs as the worker meets them: it claims, splits and removes them, and waits for nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "outbox/due_scan.hpp"
#include "outbox/pack_relations.hpp"

namespace audiostore::outbox {

class PackClaims {
 public:
  bool empty() const { return relations_.empty(); }

  // Marks packs that are due as running by this process, in the order in which they are due, up to about so many keys;
  // passes over what others have locked or claimed. Returns whether there may be more.
  bool claim(const DueRows& due, std::vector<Pack>& claimed);

  // A delete of a pack that somebody has taken back, or is about to.
  struct Hole {
    std::int64_t id;
    bool certain;
    ItemPointerData tid;
  };
  std::vector<Hole> holes_of(const Pack& pack);
  void remove_holes(std::span<const Hole> holes);

  // Puts these packs, which have its keys or some of them, in the place of a pack that this process has claimed.
  void replace(const Pack& pack, std::span<Pack> parts);

  // A pack that this process claimed, wherever it is by now.
  std::optional<Pack> find_claimed(std::int64_t id);
  // False when it is not where the claim left it.
  bool remove_claimed(std::int64_t id, ItemPointerData tid);

 private:
  PackRelations relations_;
};

// The part of a pack from its key at `first`, given all of its keys; the rest is as in the pack.
Pack part_of(const Pack& pack, std::span<const std::string_view> keys, std::size_t first, std::size_t count);

// All keys of a pack, one after the other. Throws SqlError when it is damaged.
class PackedKeys {
 public:
  explicit PackedKeys(const Pack& pack);
  std::size_t size() const { return ends_.size(); }
  std::string_view operator[](std::size_t i) const {
    std::size_t const begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(octets_).substr(begin, ends_[i] - begin);
  }
  std::vector<std::string_view> views() const;

 private:
  std::string octets_;
  std::vector<std::size_t> ends_;
};

}  // namespace audiostore::outbox
