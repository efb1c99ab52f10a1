// Goal: whoever belongs to the cluster is right and never stuck. At no time can two majorities acknowledge
// that share no node; what was acknowledged is seen by every majority that could be asked; no healthy member
// is taken for replaced; who was forgotten is never back; once all faults are over, all that live agree on
// one set. Method: random starts, stops, cuts, lost disks, moves, growth and forgetting among simulated nodes
// that decide by the program's own code (membership_model.h). MINIVAULT_SEED is the first seed,
// MEMBERSHIP_RUNS how many of each kind.

#include "tests/replicator/membership_model.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <iostream>
#include <sstream>

#include "tests/support/seed.h"

namespace minivault::replicator {
namespace {

using membership_model::Acknowledged;
using membership_model::Network;
using membership_model::Node;
using membership_model::Random;

/// One run: a cluster, what befalls it, and what must be true of it all the time.
class Run {
 public:
  explicit Run(std::uint64_t seed) : random_(seed) { trace_ << "seed " << seed << ": "; }

  [[nodiscard]] std::string trace() const { return trace_.str(); }
  [[nodiscard]] std::uint64_t below(std::uint64_t end) { return random_() % end; }
  [[nodiscard]] bool chance(unsigned percent) { return below(100) < percent; }

  /// Nodes that list each other, maybe by other names than they say of themselves.
  void found(std::size_t count, bool by_alias) {
    by_alias_ = by_alias;
    for (std::size_t i = 0; i < count; ++i) listed_.push_back(new_name());
    for (const std::string& name : listed_) add(name);
    trace_ << count << (by_alias ? " nodes by alias" : " nodes");
  }
  Node& add(const std::string& name) {
    Node& node = network_.add({name, "alias-" + name}, list());
    healthy_.insert(node.id());
    return node;
  }
  void grow() {
    listed_.push_back(new_name());
    Node& node = add(listed_.back());
    trace_ << " grow " << node.id();
    node.start();
  }
  void start(Node& node) {
    trace_ << " +" << node.id();
    node.configure(list());  // as the operator left it
    node.start();
  }
  void stop(Node& node) {
    trace_ << " -" << node.id();
    node.stop();
  }
  /// Another node begins at its address: with nothing, or as what the directory is under a new id.
  void replace(Node& node, bool keeps_disk) {
    Node& next = network_.add(node.names(), list());
    if (keeps_disk) next.copy(node);
    healthy_.insert(next.id());
    trace_ << (keeps_disk ? " rename " : " lose ") << node.id() << " new " << next.id();
    lose(node);
    next.start();
  }
  /// A copy of a directory, under a new id and at a new address, that is started later.
  Node& copy(const Node& node) {
    listed_.push_back(new_name());
    Node& next = add(listed_.back());
    next.copy(node);
    trace_ << " copy as " << next.id();
    return next;
  }
  void lose(Node& node) {
    healthy_.erase(node.id());
    network_.lose(node.id());
  }
  /// `node` is gone for good, and `at` is told so.
  void forget(Node& node, Node& at) {
    trace_ << " forget " << node.id() << " at " << at.id();
    const NodeId id = node.id();
    std::erase(listed_, node.names()[0]);
    forgotten_.insert(id);
    lose(node);
    at.forget(id);
  }
  void exchange(Node& a, Node& b) {
    trace_ << " swap " << a.id() << ' ' << b.id();
    const std::vector<std::string> names = a.names();
    a.move(b.names());
    b.move(names);
  }
  void cut() {
    std::set<NodeId> side;
    for (const auto& node : network_.nodes()) {
      if (chance(40)) side.insert(node->id());
    }
    trace_ << " cut";
    for (const NodeId id : side) trace_ << ' ' << id;
    network_.cut(side);
  }
  void heal() {
    trace_ << " heal";
    network_.heal();
  }
  void pass(unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
      network_.pass();
      std::vector<Node*> up = which([](const Node& node) { return node.is_up(); });
      std::shuffle(up.begin(), up.end(), random_);
      for (Node* node : up) {
        if (chance(10)) node->write();
        if (chance(80)) node->run(random_);
      }
      check();
    }
  }
  /// All faults are over.
  [[nodiscard]] bool comes_to_rest() {
    trace_ << " rest";
    network_.heal();
    for (const auto& node : network_.nodes()) {
      if (!node->is_up()) start(*node);
    }
    for (unsigned i = 0; i < 60 && !is_at_rest(); ++i) pass(5);
    return is_at_rest();
  }
  [[nodiscard]] bool is_at_rest() const {
    const std::uint64_t digest = network_.nodes().front()->members().digest();
    return std::all_of(network_.nodes().begin(), network_.nodes().end(), [&](const auto& node) {
      const bool all = node->members().members().size() == network_.nodes().size();
      return all && node->has_agreed() && node->is_complete() && node->members().digest() == digest &&
             node->counted().size() == network_.nodes().size();
    });
  }
  template <typename Condition>
  [[nodiscard]] std::vector<Node*> which(Condition condition) const {
    std::vector<Node*> nodes;
    for (const auto& node : network_.nodes()) {
      if (condition(*node)) nodes.push_back(node.get());
    }
    return nodes;
  }
  [[nodiscard]] Node& any(const std::vector<Node*>& nodes) { return *nodes[below(nodes.size())]; }
  [[nodiscard]] std::string state() const {
    std::ostringstream out;
    for (const auto& node : network_.nodes()) {
      out << "\n  " << node->id() << (node->is_up() ? " up " : " down ") << node->names()[0]
          << (node->has_agreed() ? " agreed" : " waits") << (node->is_complete() ? " complete" : "")
          << " members";
      for (const auto& member : node->members().members()) out << ' ' << member.id << '@' << member.address;
      out << " forgotten";
      for (const NodeId id : node->members().forgotten()) out << ' ' << id;
      out << " last agreed";
      for (const auto& member : node->last_agreed().members()) out << ' ' << member.id;
      out << " counts";
      for (const NodeId id : node->counted()) out << ' ' << id;
      out << " of " << node->copies_needed();
    }
    return out.str();
  }
  [[nodiscard]] std::size_t acknowledged() const { return network_.acknowledged().size(); }
  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] const std::set<NodeId>& healthy() const { return healthy_; }

  /// What is not asked of a run.
  bool may_evict = false;
  bool may_part = false;

 private:
  std::string new_name() { return "n" + std::to_string(++names_); }
  [[nodiscard]] std::vector<std::string> list() const {
    std::vector<std::string> list;
    for (const std::string& name : listed_) list.push_back(by_alias_ ? "alias-" + name : name);
    return list;
  }
  void fail(const std::string& what) const { CPPUNIT_FAIL(what + "\n" + trace() + state()); }

  void check() {
    for (; replaced_ < network_.replaced.size(); ++replaced_) {
      const auto& [at, gone, by] = network_.replaced[replaced_];
      if (may_evict || !healthy_.contains(gone)) continue;
      fail(std::to_string(at) + " takes " + std::to_string(by) + " for the successor of " +
           std::to_string(gone));
    }
    for (const auto& node : network_.nodes()) {
      for (const auto& member : node->members().members()) {
        if (forgotten_.contains(member.id) && node->members().is_forgotten(member.id)) fail("it is back");
      }
    }
    if (may_part) return;
    check_majorities();
    check_reads();
  }
  /// Who holds different sets counts nobody whom the other counts.
  void check_majorities() {
    std::map<std::uint64_t, NodeId> able;
    for (const auto& node : network_.nodes()) {
      if (!node->is_up() || !node->has_agreed()) continue;
      const std::uint64_t digest = node->members().digest();
      const std::vector<Node*> same = which([&](const Node& other) {
        return other.is_up() && network_.can_talk(node->id(), other.id()) &&
               other.members().digest() == digest;
      });
      if (same.size() >= node->copies_needed()) able.emplace(digest, node->id());
    }
    if (able.size() > 1) {
      fail("both can acknowledge: " + std::to_string(able.begin()->second) + " and " +
           std::to_string(able.rbegin()->second));
    }
  }
  void check_reads() {
    for (const auto& asker : network_.nodes()) {
      if (!asker->is_up() || !asker->has_agreed()) continue;
      const std::uint64_t digest = asker->members().digest();
      const std::vector<Node*> voices = which([&](const Node& node) {
        return node.is_up() && node.is_complete() && network_.can_talk(asker->id(), node.id()) &&
               node.members().digest() == digest;
      });
      const std::size_t needed = asker->copies_needed();
      if (voices.size() < needed) continue;
      for (const Acknowledged& each : network_.acknowledged()) {
        const auto lacking = std::count_if(voices.begin(), voices.end(), [&](const Node* node) {
          return !node->held().contains(each.write);
        });
        if (static_cast<std::size_t>(lacking) < needed) continue;
        fail("a majority lacks " + std::to_string(each.write) + " of " + std::to_string(each.taken_by) +
             " acknowledged, asked by " + std::to_string(asker->id()));
      }
    }
  }

  Random random_;
  Network network_;
  std::ostringstream trace_;
  std::vector<std::string> listed_;
  std::set<NodeId> healthy_;
  std::set<NodeId> forgotten_;
  bool by_alias_ = false;
  unsigned names_ = 0;
  std::size_t replaced_ = 0;
};

class MembershipModelTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MembershipModelTest);
  CPPUNIT_TEST(nodes_are_born);
  CPPUNIT_TEST(a_cluster_lives);
  CPPUNIT_TEST(anything_happens_and_an_operator_helps);
  CPPUNIT_TEST(a_copy_outlives_all_whom_it_knew);
  CPPUNIT_TEST_SUITE_END();

 public:
  // No disk is lost before all have been members together; all else may happen from the first moment on.
  void nodes_are_born() {
    run_all([](Run& run) {
      run.found(kSizes[run.below(std::size(kSizes))], run.chance(30));
      for (unsigned step = 0; step < 60; ++step) {
        disturb(run);
        if (run.chance(3) && run.network().nodes().size() < 7) run.grow();
      }
      assert_rests(run);
    });
  }

  // All have been members together. A minority of disks may be lost at a time, whatever else is going on.
  void a_cluster_lives() {
    run_all([](Run& run) {
      run.found(kSizes[run.below(std::size(kSizes))], run.chance(30));
      assert_rests(run);
      for (unsigned age = 0; age < 4; ++age) {
        change(run);
        for (unsigned step = 0; step < 20; ++step) disturb(run);
        assert_rests(run);
      }
    });
  }

  // Disks are lost, addresses exchanged, nodes added and forgotten at any time. What an operator is told to
  // do (packaging/OPERATIONS.md) is enough: lists that name those who are there, forget whom nobody has,
  // empty who was removed.
  void anything_happens_and_an_operator_helps() {
    run_all([](Run& run) {
      run.may_evict = run.may_part = true;
      run.found(kSizes[run.below(std::size(kSizes))], run.chance(30));
      for (unsigned step = 0; step < 60; ++step) {
        disturb(run);
        if (run.chance(12)) change(run);
      }
      for (unsigned helped = 0; !run.comes_to_rest(); ++helped) {
        if (helped == 4) CPPUNIT_FAIL("they do not agree\n" + run.trace() + run.state());
        help(run);
      }
    });
  }

  // A copy of a directory is away while all disks are replaced one after the other: then it gets a new id.
  void a_copy_outlives_all_whom_it_knew() {
    run_all([](Run& run) {
      run.found(kSizes[run.below(std::size(kSizes))], run.chance(30));
      assert_rests(run);
      Node kept(run.network(), 0, {}, {});
      kept.copy(run.any(run.which([](const Node&) { return true; })));
      for (const NodeId id : std::set<NodeId>(run.healthy())) {
        Node& node = *run.network().find(id);
        run.stop(node);
        run.replace(node, false);
        assert_rests(run);
      }
      run.start(run.copy(kept));
      assert_rests(run);
    });
  }

 private:
  static constexpr std::size_t kSizes[] = {2, 3, 3, 3, 4, 5};

  template <typename Scenario>
  static void run_all(Scenario scenario) {
    const std::uint64_t first = test::environment_number("MINIVAULT_SEED", 1);
    const std::uint64_t runs = test::environment_number("MEMBERSHIP_RUNS", 200);
    std::cerr << "MINIVAULT_SEED=" << first << '\n';
    std::size_t acknowledged = 0;
    for (std::uint64_t seed = first; seed < first + runs; ++seed) {
      Run run(seed);
      scenario(run);
      acknowledged += run.acknowledged();
    }
    CPPUNIT_ASSERT(acknowledged > 10 * runs);
  }
  static void assert_rests(Run& run) {
    if (!run.comes_to_rest()) CPPUNIT_FAIL("they do not agree\n" + run.trace() + run.state());
  }
  static void disturb(Run& run) {
    const std::vector<Node*> up = run.which([](const Node& node) { return node.is_up(); });
    const std::vector<Node*> down = run.which([](const Node& node) { return !node.is_up(); });
    const std::uint64_t what = run.below(100);
    if (what < 15 && !up.empty()) {
      run.stop(run.any(up));
    } else if (what < 40 && !down.empty()) {
      run.start(run.any(down));
    } else if (what < 47) {
      run.network().is_cut() ? run.heal() : run.cut();
    } else {
      run.pass(1 + static_cast<unsigned>(run.below(6)));
    }
  }
  static void change(Run& run) {
    std::vector<Node*> all = run.which([](const Node&) { return true; });
    const std::uint64_t what = run.below(100);
    if (what < 40) {
      for (std::size_t lost = 1 + run.below(std::max<std::size_t>(1, (all.size() - 1) / 2)); lost > 0;
           --lost) {
        const std::size_t which = run.below(all.size());
        if (all.size() == 2 && run.network().nodes().size() == 2) break;
        if (all[which]->is_up()) run.stop(*all[which]);
        run.replace(*all[which], run.chance(30));
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(which));
        run.pass(static_cast<unsigned>(run.below(8)));
      }
    } else if (what < 50 && all.size() < 7) {
      run.grow();
    } else if (what < 60 && all.size() < 7) {
      run.start(run.copy(run.any(all)));
    } else if (what < 80 && all.size() > 2) {
      Node& gone = run.any(all);
      if (gone.is_up()) run.stop(gone);
      const std::vector<Node*> up = run.which([](const Node& node) { return node.is_up(); });
      if (!up.empty()) run.forget(gone, run.any(up));
    } else if (all.size() > 1) {
      Node& a = run.any(all);
      Node& b = run.any(all);
      if (&a == &b) return;
      if (a.is_up()) run.stop(a);
      if (b.is_up()) run.stop(b);
      run.exchange(a, b);
    }
  }
  static void help(Run& run) {
    std::vector<Node*> all = run.which([](const Node&) { return true; });
    for (Node* node : all) {
      if (node->is_up()) run.stop(*node);
    }
    for (Node* node : all) run.start(*node);
    std::set<NodeId> removed;
    std::set<NodeId> gone;
    for (const Node* node : all) {
      removed.insert(node->members().forgotten().begin(), node->members().forgotten().end());
      for (const auto& member : node->members().members()) gone.insert(member.id);
    }
    for (Node* node : all) {
      gone.erase(node->id());
      if (removed.contains(node->id())) run.replace(*node, false);
    }
    Node& at = run.any(run.which([](const Node&) { return true; }));
    for (const NodeId id : gone) at.forget(id);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MembershipModelTest, "membership_model_test");

}  // namespace
}  // namespace minivault::replicator
