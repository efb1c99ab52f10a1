#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "common/load/options.h"
#include "common/load/runner.h"

namespace minivault::load {

/// All connections of a run, dealt to the threads that keep them busy. Used by one thread, which the others
/// serve.
class Fleet {
 public:
  /// Called every tenth of a second while a run goes on, with the answers so far; false ends it early.
  using Watcher = std::function<bool(std::uint64_t answered)>;

  /// Opens every connection and sends its greeting. Errors: kUnavailable, kTimedOut, kUnauthorized where the
  /// greeting is refused, kInvalidArgument.
  [[nodiscard]] static Result<Fleet> open(const Options& options);

  /// Stores the value of every key once.
  [[nodiscard]] Tally fill(const Options& options, const Values& values, const Watcher& watcher);

  /// Draws requests; the next play() sends them.
  void prepare(const Options& options, const Values& values);
  [[nodiscard]] Tally play(const Options& options, const Values& values, const Watcher& watcher);

 private:
  Fleet() = default;
  [[nodiscard]] Tally run(std::span<const Task> tasks, const Watcher& watcher);
  /// Calls visit(lane, connection) for all of them, by their number in the whole fleet.
  template <typename Visit>
  void for_each_lane(Visit visit);

  std::vector<Runner> runners_;  ///< connection c is the (c / threads)-th of runner c % threads
  std::vector<client::Socket> idle_;
  std::unique_ptr<Codec> codec_;
  std::uint64_t connections_ = 0;
  Tape tape_;
};

}  // namespace minivault::load
