#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "common/net/frozen_bytes.h"
#include "common/store/version.h"

namespace minivault::worker {

/// Copies of large values that are asked for again and again, from which the kernel sends without copying.
///
/// The log's and the base's own pages cannot be sent so: a socket keeps what sendfile(2) gave it until the
/// client has read it, long after the turn's pin, and the ring would be overwritten under it. No copy is ever
/// stale: which version is the newest the store has said just before, and a version has one value. One
/// thread.
class LargeValues {
 public:
  /// Below this copying costs less than references.
  static constexpr std::size_t kLeastBytes = 64 * 1024;
  /// Each is a descriptor.
  static constexpr std::size_t kMostCopies = 1024;

  explicit LargeValues(std::uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// The copy of a value that the store found just now at this place; nullptr: there is none, send it from
  /// there. Copies what is asked for the second time, and forgets what was not for longest.
  [[nodiscard]] std::shared_ptr<const net::FrozenBytes> find(std::string_view value,
                                                             const store::Version& version);

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t copies() const { return copies_.size(); }

 private:
  /// A value that stays where it is: in the log or in a page of the base. What another value's bytes replaced
  /// has another version.
  struct Place {
    const char* at = nullptr;
    std::size_t size = 0;
    store::Version version;
    bool operator==(const Place&) const = default;
  };
  struct Copy {
    Place place;
    std::shared_ptr<const net::FrozenBytes> bytes;
  };

  [[nodiscard]] bool was_asked_before(const Place& place);
  [[nodiscard]] std::shared_ptr<const net::FrozenBytes> add(const Place& place);
  void forget(std::list<Copy>::iterator copy);

  std::uint64_t limit_bytes_;
  std::uint64_t bytes_ = 0;
  std::list<Copy> copies_;  ///< the last asked for in front
  std::unordered_map<const char*, std::list<Copy>::iterator> by_place_;
  std::array<Place, 1024> asked_once_;  ///< by their place; a later one takes an earlier one's
};

}  // namespace minivault::worker
