#pragma once

#include <cstdint>
#include <string_view>

#include "common/store/base_page_layout.h"

/// Looking a key up in LMDB's map without LMDB, whose cursor waits for one cache miss after the other: this
/// says ahead where it will look, and several lookups take turns. Reads what an open read transaction keeps
/// from being written over. Nothing that a page says is trusted: a damaged one is an answer, never a read
/// where nothing is.
namespace minivault::store::base {

/// Where LMDB has the file mapped, as far as there is one.
struct PageMap {
  const char* first = nullptr;
  std::uint32_t page_size = 0;
  std::uint64_t pages = 0;
};

class Descent {
 public:
  enum class State : std::uint8_t { kArrived, kNarrowing, kFound, kAbsent, kDamaged };

  /// `key`: as it is stored; must outlive this, as the map must. `depth`: of the tree, at least 1.
  Descent(const PageMap& map, std::uint64_t root, unsigned depth, std::string_view key);

  /// Goes on with what the step before has fetched. False: it is over. REQUIRES: it was not.
  bool step();
  /// The same to the end, for a lookup alone.
  void finish();

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_over() const { return state_ > State::kNarrowing; }
  /// Of what was found: good as long as the transaction.
  [[nodiscard]] std::string_view value() const { return value_; }
  /// The last page looked at, and what is wrong with it.
  [[nodiscard]] std::uint64_t page() const { return number_; }
  [[nodiscard]] const char* damage() const { return damage_; }

 private:
  void go_to(std::uint64_t page);
  void open();
  void narrow();
  void conclude();
  void take_overflow(const char* place, std::uint64_t bytes);
  void fetch_middle() const;
  void damaged(const char* what);
  /// Of an entry, or nullptr: it is not within the page.
  [[nodiscard]] const char* entry(unsigned i) const;
  [[nodiscard]] int compare(const char* key, std::size_t bytes) const;

  const PageMap& map_;
  std::string_view key_;
  const char* page_ = nullptr;
  std::uint64_t number_ = 0;
  unsigned levels_;    ///< from this page on
  unsigned low_ = 0;   ///< so many entries of the page at least are at or below the key,
  unsigned high_ = 0;  ///< and so many at most
  State state_ = State::kArrived;
  bool equal_ = false;  ///< the last of those at or below is the key
  std::string_view value_;
  const char* damage_ = nullptr;
};

}  // namespace minivault::store::base
