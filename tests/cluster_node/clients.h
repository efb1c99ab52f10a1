#pragma once

#include <cppunit/extensions/HelperMacros.h>

#include <string>

#include "common/client/connection.h"
#include "tests/support/cluster.h"
#include "tests/support/cluster_load.h"

namespace minivault::test {

/// A connection to a node of the cluster, past all proxies.
[[nodiscard]] inline client::Connection connect(const Cluster& cluster, unsigned i,
                                                const client::Options& options = {}) {
  auto connection = client::Connection::open({"127.0.0.1", cluster.port(i)}, options);
  if (!connection) throw std::runtime_error(connection.error().message);
  return std::move(*connection);
}

inline void assert_set(const Cluster& cluster, unsigned i, const std::string& key, const std::string& value) {
  const Status done = connect(cluster, i).set(key, value);
  CPPUNIT_ASSERT_MESSAGE(key + ": " + (done ? "" : done.error().message), done.has_value());
}

/// Waits until a node answers a GET with `value`.
inline void await_value(const Cluster& cluster, unsigned i, const std::string& key,
                        const std::string& value) {
  auto connection = connect(cluster, i);
  eventually(key + " is seen at node " + std::to_string(i), [&] { return connection.get(key) == value; });
}

/// A PUT of raw bytes over HTTP, where a failure has a reason.
[[nodiscard]] inline HttpResponse put(const Cluster& cluster, unsigned i, const std::string& key,
                                      const std::string& value) {
  return http(cluster.port(i),
              http_upload("PUT", "/" + key, value, {"Content-Type: application/octet-stream"}));
}

inline void assert_none(const std::vector<std::string>& violations) {
  for (const std::string& what : violations) std::cerr << "VIOLATION " << what << '\n';
  CPPUNIT_ASSERT_EQUAL_MESSAGE("see the violations above", std::size_t{0}, violations.size());
}

/// Waits until all nodes hold the same, and judges it. What that is.
inline Content assert_converges(const Cluster& cluster, const History& history) {
  Content content = cluster.converge();
  assert_none(history.violations(content));
  return content;
}

/// A write through one node as part of a history; its outcome.
inline Outcome write(const Cluster& cluster, History& history, unsigned i, const std::string& key,
                     const History::State& state) {
  const History::Write write = history.begin(key, state);
  auto connection = connect(cluster, i);
  const Status done = state ? connection.set(key, *state) : connection.remove(key);
  const Outcome outcome = done                                         ? Outcome::kDone
                          : done.error().code == Code::kOutcomeUnknown ? Outcome::kUnknown
                                                                       : Outcome::kRefused;
  history.end(write, outcome);
  return outcome;
}

/// … that must be acknowledged.
inline void assert_write(const Cluster& cluster, History& history, unsigned i, const std::string& key,
                         const History::State& state) {
  CPPUNIT_ASSERT_MESSAGE("acknowledged by node " + std::to_string(i) + ": " + key,
                         write(cluster, history, i, key, state) == Outcome::kDone);
}

/// … as soon as may be: for nodes that still find each other, or wait for less than a busy machine takes.
inline void await_write(const Cluster& cluster, History& history, unsigned i, const std::string& key,
                        const History::State& state) {
  eventually("node " + std::to_string(i) + " acknowledges " + key,
             [&] { return write(cluster, history, i, key, state) == Outcome::kDone; });
}

}  // namespace minivault::test
