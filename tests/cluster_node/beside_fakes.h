#pragma once

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "tests/cluster_node/clients.h"
#include "tests/cluster_node/fake_node.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/raw_connection.h"

/// What tests need that put a real node beside fake ones, which say what no real one would.
namespace minivault::test {

[[nodiscard]] inline ClusterOptions one_node(std::vector<std::string> flags = {"-write-timeout", "3s"}) {
  flags.insert(flags.end(), {"-procs", "1"});
  return {.nodes = 1, .flags = std::move(flags), .start = false};
}

inline void await_needed(const Cluster& cluster, unsigned count) {
  eventually("it needs " + std::to_string(count),
             [&] { return cluster.health(0)["quorum"]["needed"].GetUint() == count; });
}

inline void await_reachable(const Cluster& cluster, unsigned count) {
  cluster.await_reachable(0, count);
}

/// The node lists the other one, and they have met.
inline void start_beside(Cluster& cluster, const FakeNode& other) {
  cluster.start(0, {{"CLUSTER_NODES", other.address()}});
  await_reachable(cluster, 2);
}

[[nodiscard]] inline std::size_t lines_with(Cluster& cluster, const std::string& text) {
  const std::vector<std::string> lines = cluster.node(0).supervisor().lines();
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(text) != std::string::npos;
  }));
}

/// A node that was born alone, so it is complete, becomes one of three.
inline void join(Cluster& cluster, FakeNode& first, FakeNode& second) {
  second.say([](FakeNode::Words& words) { words.id += 1; });
  cluster.start(0, {{"CLUSTER_NODES", ""}});
  first.call(cluster.port(0));
  await_reachable(cluster, 2);
  second.call(cluster.port(0));
  await_reachable(cluster, 3);
}

[[nodiscard]] inline std::string last_error(const Cluster& cluster) {
  return cluster.health(0)["peers"][0]["last_error"].GetString();
}

/// More than fits in, with the checkpointer stopped, and who would end it for that.
[[nodiscard]] inline std::vector<pid_t> overfill_log(Cluster& cluster) {
  std::vector<pid_t> stopped{cluster.node(0).child("checkpointer"), cluster.node(0).supervisor().pid()};
  for (const pid_t pid : stopped) ::kill(pid, SIGSTOP);
  RawConnection connection(cluster.port(0));
  const std::string large = set_frame("large", std::string(1 << 20, 'v'));
  for (int i = 0; i < 14; ++i) connection.send(large);
  std::string small;
  for (int i = 0; i < 40'000; ++i) small += set_frame("small", "v");
  connection.send(small);
  return stopped;
}

/// Until not even a small record fits in.
[[nodiscard]] inline std::vector<pid_t> fill_log(Cluster& cluster) {
  std::vector<pid_t> stopped = overfill_log(cluster);
  eventually("it is full", [&] { return lines_with(cluster, "the log has no room") > 0; });
  return stopped;
}

inline void go_on(const std::vector<pid_t>& stopped) {
  for (const pid_t pid : stopped) ::kill(pid, SIGCONT);
}

/// Sends so many writes of 1 MB without waiting for answers, and waits until they are in the log.
inline void write_large(const Cluster& cluster, RawConnection& connection, unsigned count) {
  const auto tail = [&] { return cluster.health(0)["log"]["tail"].GetUint64(); };
  const std::uint64_t end = tail() + (std::uint64_t{count} << 20U);
  const std::string frame = set_frame("large", std::string(1 << 20, 'v'));
  for (unsigned i = 0; i < count; ++i) connection.send(frame);
  eventually("all of it is in the log", [&] { return tail() >= end; });
}

}  // namespace minivault::test
