#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/client/connection.h"

namespace minivault::test {

/// A pipelined load that knows what a node owes it. Several writers, each with keys and a connection of its
/// own, send SET and DELETE with values that are never repeated, read in between, and reconnect when a
/// connection dies. For each key they remember the operations from the last acknowledged one on: what a read
/// may find is the outcome of one of these, and nothing older. Every violation is kept for the test to see.
class Load {
 public:
  struct Counts {
    std::uint64_t acknowledged = 0;
    std::uint64_t unanswered = 0;
    std::uint64_t reconnects = 0;
  };

  Load(std::uint16_t port, std::uint64_t seed, unsigned writers = 4);
  ~Load();

  /// The node listens elsewhere now.
  void moved_to(std::uint16_t port) { port_ = port; }
  /// Waits until every writer got `count` more answers: the load is in full swing (again).
  void await_answers(std::uint64_t count);
  /// Ends the load, then reads every key and compares.
  void stop_and_verify();

  [[nodiscard]] std::vector<std::string> violations() const;
  [[nodiscard]] Counts counts() const;

 private:
  using State = std::optional<std::string>;  ///< nullopt: deleted, or never written

  /// A write: which one of its writer, and what it leaves behind.
  struct Write {
    std::uint64_t number = 0;
    State state;
  };

  /// What one key may hold: the newest acknowledged write first, then those sent after it.
  using Expected = std::deque<Write>;

  struct Operation {
    enum class Kind { kSet, kDelete, kGet };
    Kind kind = Kind::kGet;
    std::string key;
    Write write;
  };

  struct Writer {
    unsigned number = 0;
    std::mt19937_64 random;
    std::map<std::string, Expected> keys;
    std::uint64_t writes = 0;
    std::atomic<std::uint64_t> acknowledged = 0;
    std::atomic<std::uint64_t> unanswered = 0;
    std::atomic<std::uint64_t> reconnects = 0;
    std::jthread thread;
  };

  void run(Writer& writer);
  void run_batch(Writer& writer, client::Connection& connection);
  [[nodiscard]] Operation next_operation(Writer& writer);
  void take_answer(Writer& writer, const Operation& operation, const Result<std::string>& answer);
  void check(const Expected& expected, const std::string& key, const Result<std::string>& answer);
  void verify(Writer& writer);
  void violation(const std::string& what);
  [[nodiscard]] Result<client::Connection> connect() const;

  std::atomic<std::uint16_t> port_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> violations_;  ///< guarded by mutex_
  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace minivault::test
