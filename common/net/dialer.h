#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/core/unique_fd.h"
#include "common/net/name_lookup.h"
#include "common/net/poller.h"

namespace minivault::net {

/// Connects to `host:port` without ever blocking: looks the name up, then tries its addresses one after the
/// other. One that neither takes nor refuses is left for the next after kPatienceMs; with the last one it is
/// the caller who loses patience. Its socket is watched by the poller, and no longer after the destructor,
/// unless it was handed over.
class Dialer {
 public:
  static constexpr std::uint64_t kPatienceMs = 400;

  Dialer(Poller& poller, const std::string& address) : poller_(&poller), lookup_(address) {}
  /// To where it is already known to be.
  Dialer(Poller& poller, const NameLookup::Places& places)
      : poller_(&poller), places_(places.rbegin(), places.rend()) {}
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  ~Dialer() { give_up(); }

  /// Of the socket that is connecting; -1: none.
  [[nodiscard]] int fd() const { return connecting_.get(); }
  /// The poller saw something of fd().
  void note(const Event& event) { settled_ = settled_ || event.writable; }
  /// The connected socket, which stays watched; empty: not yet. Error: no address took the call
  /// (kUnavailable, kIo), and why the last one did not.
  [[nodiscard]] Result<UniqueFd> run(std::uint64_t now_ms);
  /// No event will tell when the name is known.
  [[nodiscard]] bool waits_for_name() const { return lookup_.has_value(); }
  /// Other addresses are left: that nobody has taken the call yet says nothing.
  [[nodiscard]] bool has_other_places() const { return !places_.empty(); }
  /// When run() has something to do that the poller will not tell.
  [[nodiscard]] std::uint64_t next_look_ms(std::uint64_t now_ms) const;

 private:
  [[nodiscard]] Status connect_next(std::uint64_t now_ms);
  void give_up();

  Poller* poller_;
  std::optional<NameLookup> lookup_;
  NameLookup::Places places_;  ///< that were not tried yet, the next one last
  UniqueFd connecting_;
  std::uint64_t since_ms_ = 0;
  bool settled_ = false;  ///< it is connected, or will not be
};

}  // namespace minivault::net
