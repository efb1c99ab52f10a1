#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/fault_proxy.h"
#include "tests/support/history.h"
#include "tests/support/http.h"
#include "tests/support/node.h"

namespace minivault::test {

struct ClusterOptions {
  unsigned nodes = 3;
  std::vector<std::string> flags = {};  ///< of every node
  Environment environment = {};         ///< of every node; CLUSTER_NODES here wins
  std::string auth_key = {};            ///< of every node; MINIVAULT_AUTH in the environment wins
  std::string host = "127.0.0.1";       ///< in the nodes' addresses; a name ends in ".test"
  milliseconds look_up{0};              ///< for so long it is looked up, each time
  bool start = true;                    ///< else start(i) starts them
};

/// Real nodes with a bad network between them. In front of each node stands a proxy, whose address is the
/// node's -public-url and its name in everybody's CLUSTER_NODES. The proxy knows which node calls by the
/// owner of the socket, so each ordered pair of nodes has faults of its own. Nodes reach each other by no
/// other way; the test's clients connect to the nodes themselves.
///
/// Make it a local variable of the test: when that fails the nodes' logs are printed.
class Cluster {
 public:
  explicit Cluster(ClusterOptions options = {});
  ~Cluster();

  [[nodiscard]] unsigned size() const { return options_.nodes; }
  [[nodiscard]] bool runs(unsigned i) const { return places_.at(i)->runs; }
  [[nodiscard]] Node& node(unsigned i) { return *places_.at(i)->node; }
  /// 0 while the node does not run. For clients; any thread may ask.
  [[nodiscard]] std::uint16_t port(unsigned i) const { return places_.at(i)->port; }
  /// Where the other nodes find it.
  [[nodiscard]] std::string address(unsigned i) const;
  /// The addresses of all, as in CLUSTER_NODES.
  [[nodiscard]] std::string addresses() const;

  // Nodes. Only the thread that made the cluster may start any.
  void start(unsigned i, const Environment& environment = {});  ///< `environment` over the cluster's
  void start_all();                                             ///< those that do not run
  void stop(unsigned i);                                        ///< SIGTERM, and asserts status 0
  void kill(unsigned i);
  void restart(unsigned i);
  void wipe(unsigned i);  ///< of a node that does not run: its directory
  /// Its wall clock is off by this from now on, running or not.
  void set_clock(unsigned i, milliseconds offset);

  // The network. `from` and `to` are about bytes, whoever made the connection.
  void set(unsigned from, unsigned to, Faults faults);
  /// … of connections that `from` made: what it asks, not what it answers.
  void set_calls(unsigned from, unsigned to, Faults faults);
  void slow_all(Faults faults);
  /// A black hole between two nodes, both ways.
  void partition(unsigned a, unsigned b);
  /// A black hole between one node and all others.
  void isolate(unsigned i);
  /// All connections between two nodes are reset, new ones refused.
  void disconnect(unsigned a, unsigned b);
  /// All connections between two nodes are reset.
  void cut(unsigned a, unsigned b);
  /// `bytes` more from one to the other, then a reset of the connection that brought the last of them; of
  /// connections that `from` made.
  void cut_after(std::uint64_t bytes, unsigned from, unsigned to);
  void heal(unsigned a, unsigned b);
  void heal();
  /// How often one has called the other, since the beginning.
  [[nodiscard]] unsigned attempts(unsigned from, unsigned to) const;
  /// Bytes that went from one node to the other, since the beginning.
  [[nodiscard]] std::uint64_t bytes(unsigned from, unsigned to) const;

  // Looking, and waiting.
  [[nodiscard]] rapidjson::Document health(unsigned i) const;
  /// health's quorum.reachable
  [[nodiscard]] unsigned reachable(unsigned i) const;
  /// Every running node reaches as many as run, itself included, within `quorum.reachable`; where all run,
  /// each is complete.
  void await_quorum() const;
  void await_reachable(unsigned i, unsigned count) const;

  /// `minivault dump` of a node, running or not: one line a key, versions included.
  [[nodiscard]] std::string dump(unsigned i) const;
  /// Waits until all running nodes hold the same, byte by byte and version by version. What that is.
  [[nodiscard]] Content converge(milliseconds limit = kPatience) const;

 private:
  struct Place {
    std::unique_ptr<FaultProxy> proxy;
    std::atomic<std::uint16_t> proxy_port = 0;  ///< asked for while the proxy ends, too
    std::unique_ptr<Node> node;
    std::atomic<pid_t> supervisor = 0;
    std::atomic<std::uint16_t> port = 0;
    bool runs = false;
  };

  [[nodiscard]] NodeOptions node_options(unsigned i, const Environment& environment);
  [[nodiscard]] std::optional<FaultProxy::Link> caller(unsigned callee, std::uint16_t caller_port) const;
  void serves(unsigned i, bool runs);
  [[nodiscard]] std::string clock_file(unsigned i) const;

  ClusterOptions options_;
  TemporaryDirectory directory_;
  std::vector<std::unique_ptr<Place>> places_;
};

/// The lines of a dump as keys and values.
[[nodiscard]] Content parse_dump(const std::string& lines);

}  // namespace minivault::test
