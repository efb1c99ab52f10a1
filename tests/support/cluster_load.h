#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/client/connection.h"
#include "tests/support/cluster.h"
#include "tests/support/history.h"

namespace minivault::test {

/// Clients of a whole cluster, writing into a history. Each writer sends small pipelines of sets, deletes and
/// reads to one node after another, chosen at random; a connection that dies is opened again, what was on it
/// has an unknown outcome. Most keys belong to one writer, some to all.
class ClusterLoad {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::string prefix = {};  ///< of all its keys
    unsigned writers = 3;
    unsigned keys = 40;                ///< of each writer
    unsigned shared_keys = 10;         ///< of all together
    unsigned pipeline = 8;             ///< requests under way on a connection, at most
    std::vector<unsigned> nodes = {};  ///< to which it goes; empty: all
  };

  ClusterLoad(const Cluster& cluster, History& history, Options options);
  ~ClusterLoad();

  /// Waits until every writer got `count` more writes acknowledged.
  void await_done(std::uint64_t count, milliseconds limit = kPatience);
  /// Ends it; every write has its outcome then. Throws what a thread of it has thrown.
  void stop();

  /// Writes that were answered FF on a connection that lives on: refused, or without their quorum.
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  [[nodiscard]] std::uint64_t done() const;
  /// Reads that found what nobody wrote.
  [[nodiscard]] std::vector<std::string> violations() const;

 private:
  struct Writer {
    unsigned number = 0;
    std::mt19937_64 random;
    std::uint64_t writes = 0;
    std::atomic<std::uint64_t> done = 0;
    std::map<std::uint16_t, client::Connection> connections;  ///< by port
    std::jthread thread;
  };
  struct Request {
    std::string key;
    std::optional<History::Write> write;  ///< nullopt: a read
  };

  void run(Writer& writer);
  void run_pipeline(Writer& writer, client::Connection& connection);
  [[nodiscard]] Request next_request(Writer& writer, client::Connection& connection);
  void take_answer(Writer& writer, const Request& request, const Result<std::string>& answer, bool connected);
  [[nodiscard]] client::Connection* connection_to(Writer& writer, std::uint16_t port);

  const Cluster& cluster_;
  History& history_;
  const Options options_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> failed_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> violations_;  ///< guarded by mutex_
  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace minivault::test
