#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/wait.h"

namespace minivault::test {

/// What a client was told of a write.
enum class Outcome { kDone, kRefused, kUnknown };

/// Keys and values, as one node or all of them hold them.
using Content = std::map<std::string, std::string>;

/// All writes that a test made through any nodes of a cluster, and judge of what may be left of them. The
/// rule: a write wins over every write that was over before it began. So a state is right if it was written,
/// and no acknowledged write began after that one was over; "not there" is right, too, if nothing
/// acknowledged is there. This is everything a cluster promises once: no acknowledged write is lost but to a
/// newer one, no delete is undone. Values must never repeat for a key. Any thread may call.
class History {
 public:
  using State = std::optional<std::string>;  ///< nullopt: deleted

  /// What a write of unknown outcome may do when its client has turned away from it.
  enum class Unknowns {
    kEndSoon,       ///< it wins over nothing that begins later: clocks are right
    kStayUndecided  ///< it may win over whatever comes: with clocks that are wrong, its version may be any
  };
  explicit History(Unknowns unknowns = Unknowns::kEndSoon) : unknowns_(unknowns) {}

  /// One write, from just before it is sent …
  class Write {
   private:
    friend class History;
    std::string key;
    std::size_t number = 0;
  };
  [[nodiscard]] Write begin(std::string key, State state);
  /// … until its answer, or the end of hope.
  void end(const Write& write, Outcome outcome);

  /// What `content` breaks, a line each. Every write has ended.
  [[nodiscard]] std::vector<std::string> violations(const Content& content) const;
  /// A value that was read of a key, or its absence, at any time: was it ever written?
  [[nodiscard]] bool was_written(const std::string& key, const State& state) const;

  struct Counts {
    std::uint64_t done = 0;
    std::uint64_t refused = 0;
    std::uint64_t unknown = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Entry {
    State state;
    Clock::time_point began;
    Clock::time_point over;
    Outcome outcome = Outcome::kUnknown;
  };
  using Entries = std::vector<Entry>;

  [[nodiscard]] bool may_be_last(const Entry& entry, Clock::time_point last_began) const;
  void judge(std::vector<std::string>& violations, const std::string& key, const Entries& entries,
             const State& found) const;

  const Unknowns unknowns_;
  mutable std::mutex mutex_;
  std::map<std::string, Entries> keys_;  ///< guarded by mutex_
  Counts counts_;                        ///< guarded by mutex_
};

}  // namespace minivault::test
