#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/cluster/members.h"
#include "replicator/roster.h"

/// Nodes that exchange hellos, pulses and writes over a network of this process, and decide by the program's
/// own code who belongs to the cluster. What is modelled here is only what carries the decisions: lines,
/// notes, the board.
namespace minivault::replicator::membership_model {

using Random = std::mt19937_64;

/// What a node answers, as it was when it was asked.
struct Answer {
  enum class Kind { kHello, kForgotten, kPulse, kBatch, kRepaired };
  Kind kind = Kind::kHello;
  NodeId id = 0;
  unsigned life = 0;
  std::string name;
  bool complete = false;
  cluster::MemberSet members;  ///< of a hello
  bool has_agreed = false;
  std::uint64_t digest = 0;
  bool backs = false;
  bool agreed = false;
  std::uint64_t agreed_version = 0;
  std::size_t write = 0;  ///< of a batch: it and all before it are there
};

/// A line to an address.
struct Call {
  std::string address;
  NodeId id = 0;
  unsigned life = 0;
  bool reachable = false;
  bool is_itself = false;
  bool believed = true;
  bool is_waiting = false;  ///< what is held against it is that a set is changing
  unsigned failures = 0;
  bool begins = false;  ///< its stream does, with the next batch
  bool knows_us = false;
  bool complete = false;
  std::uint64_t digest = 0;
  std::uint64_t backed_digest = 0;
  std::uint64_t agreed_digest = 0;
  std::uint64_t agreed_version = 0;
  std::size_t acked = 0;   ///< so many of this node's writes are there
  std::size_t jumped = 0;  ///< but none of so many
  std::deque<Answer> answers;
};

class Network;

/// A data directory, and the node that runs on it.
class Node {
 public:
  Node(Network& network, NodeId id, std::vector<std::string> names, std::vector<std::string> list)
      : network_(&network), id_(id), names_(std::move(names)), list_(std::move(list)) {}

  [[nodiscard]] NodeId id() const { return id_; }
  [[nodiscard]] bool is_up() const { return up_; }
  /// The first is its public-url.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::vector<std::string>& list() const { return list_; }
  [[nodiscard]] const cluster::MemberSet& members() const { return members_; }
  [[nodiscard]] const cluster::MemberSet& last_agreed() const { return agreed_; }
  [[nodiscard]] Memory memory() const { return {id_, members_, agreed_}; }
  [[nodiscard]] bool has_agreed() const { return agreed_digest_ != 0 && agreed_digest_ == members_.digest(); }
  [[nodiscard]] bool is_complete() const { return complete_; }
  [[nodiscard]] const std::set<std::size_t>& held() const { return held_; }
  [[nodiscard]] std::size_t copies_needed() const;
  /// Those who said last that they have the same set, and are there, with itself.
  [[nodiscard]] std::set<NodeId> counted() const;

  void start();
  void stop();
  /// While it is stopped.
  void move(std::vector<std::string> names) { names_ = std::move(names); }
  void configure(std::vector<std::string> list) { list_ = std::move(list); }
  /// Takes over what is on the disk of `other`, as a copy of its directory that was given this id.
  void copy(const Node& other);
  void forget(NodeId id);
  /// Some of what happens in a while, in any order.
  void run(Random& random);
  /// A client's; acknowledged, or not, by a later run().
  void write();

 private:
  friend class Network;
  [[nodiscard]] Roster roster() const;
  void look();
  void publish();
  void ask(Call& call, Random& random);
  void take(Call& call);
  void end(Call& call);
  void pick_up_introductions();
  [[nodiscard]] bool met(Call& call, const Answer& hello);
  [[nodiscard]] bool take_in(Call& call, const Answer& hello);
  [[nodiscard]] Answer say(Answer::Kind kind) const;
  void decide_writes();
  void repaired_with(NodeId id, bool was_complete);
  void find_completeness();

  Network* network_;
  NodeId id_;
  std::vector<std::string> names_;
  std::vector<std::string> list_;
  // On disk.
  cluster::MemberSet members_;
  cluster::MemberSet agreed_;
  bool complete_ = false;
  std::set<std::size_t> held_;               ///< writes, whoever took them
  std::vector<std::size_t> own_;             ///< which it took itself
  std::map<NodeId, std::size_t> positions_;  ///< so many of whose own writes it was sent
  std::set<NodeId> debts_;
  // In memory.
  bool up_ = false;
  unsigned life_ = 0;
  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<Alias> aliases_;
  std::vector<std::pair<NodeId, std::string>> introductions_;
  std::map<NodeId, bool> filled_from_;
  unsigned runs_ = 0;
  std::uint64_t published_digest_ = 0;
  std::uint64_t backed_digest_ = 0;
  std::uint64_t agreed_digest_ = 0;
  std::uint64_t told_agreed_version_ = 0;
  std::size_t decided_ = 0;  ///< so many of its own writes are acknowledged, or will not be
};

struct Acknowledged {
  std::size_t write;
  NodeId taken_by;
  std::set<NodeId> by;  ///< those who had it then
  std::uint64_t begun;
  std::uint64_t done;
};

/// Where nodes are, who can talk to whom, and what has been acknowledged.
class Network {
 public:
  Node& add(std::vector<std::string> names, std::vector<std::string> list);
  /// Its disk is lost: nothing of it comes back.
  void lose(NodeId id);
  [[nodiscard]] Node* find(NodeId id) const;
  [[nodiscard]] Node* at(const std::string& address) const;  ///< who runs there
  [[nodiscard]] const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  [[nodiscard]] bool can_talk(NodeId a, NodeId b) const;
  /// Those on one side hear nothing of the others.
  void cut(std::set<NodeId> side) { side_ = std::move(side); }
  void heal() { side_.clear(); }
  [[nodiscard]] bool is_cut() const { return !side_.empty(); }

  [[nodiscard]] std::uint64_t now() const { return now_; }
  void pass() { ++now_; }
  std::size_t begin_write() { return begun_.push_back(now_), begun_.size() - 1; }
  [[nodiscard]] std::uint64_t begun(std::size_t write) const { return begun_[write]; }
  void acknowledge(std::size_t write, NodeId taken_by, std::set<NodeId> by);
  [[nodiscard]] const std::vector<Acknowledged>& acknowledged() const { return acknowledged_; }
  struct Replacement {
    NodeId at, gone, by;
  };
  std::vector<Replacement> replaced;

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
  std::set<NodeId> side_;
  NodeId last_id_ = 0;
  std::uint64_t now_ = 0;
  std::vector<std::uint64_t> begun_;
  std::vector<Acknowledged> acknowledged_;
};

}  // namespace minivault::replicator::membership_model
