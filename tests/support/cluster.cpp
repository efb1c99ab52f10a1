#include "tests/support/cluster.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>

#include "tests/support/cluster_callers.h"

namespace minivault::test {
namespace {

/// Built beside the test program.
std::string preloaded() {
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  return (folder / "libskewed_clock.so").string() + ":" + (folder / "libslow_names.so").string();
}

struct Line : std::string {};
std::istream& operator>>(std::istream& stream, Line& line) {
  return std::getline(stream, line);
}

/// For people: how many keys differ, and the first of them.
std::string first_difference(const std::string& first, const std::string& second) {
  constexpr std::size_t kShown = 120;
  std::vector<std::string> only[2];
  std::istringstream a(first);
  std::istringstream b(second);
  const std::set<std::string> lines_a{std::istream_iterator<Line>(a), {}};
  const std::set<std::string> lines_b{std::istream_iterator<Line>(b), {}};
  std::set_difference(lines_a.begin(), lines_a.end(), lines_b.begin(), lines_b.end(),
                      std::back_inserter(only[0]));
  std::set_difference(lines_b.begin(), lines_b.end(), lines_a.begin(), lines_a.end(),
                      std::back_inserter(only[1]));
  std::string text = std::to_string(lines_a.size()) + " and " + std::to_string(lines_b.size()) + " keys, " +
                     std::to_string(only[0].size()) + " and " + std::to_string(only[1].size()) +
                     " of them differ";
  for (const auto& lines : only) {
    if (!lines.empty()) text += "; " + lines.front().substr(0, kShown);
  }
  return text;
}

}  // namespace

Cluster::Cluster(ClusterOptions options) : options_(std::move(options)) {
  for (unsigned i = 0; i < size(); ++i) places_.push_back(std::make_unique<Place>());
  for (unsigned i = 0; i < size(); ++i) {
    const auto chooser = [this, i](std::uint16_t port) { return caller(i, port); };
    places_[i]->proxy = std::make_unique<FaultProxy>(size(), chooser);
    places_[i]->proxy_port = places_[i]->proxy->port();
    set_clock(i, milliseconds(0));
  }
  if (options_.start) start_all();
}

/// The proxies' threads ask for callers to the end.
Cluster::~Cluster() {
  for (const auto& place : places_) place->proxy.reset();
}

std::string Cluster::address(unsigned i) const {
  return options_.host + ":" + std::to_string(places_.at(i)->proxy->port());
}

std::string Cluster::addresses() const {
  std::string list;
  for (unsigned i = 0; i < size(); ++i) list += (i == 0 ? "" : ",") + address(i);
  return list;
}

std::optional<FaultProxy::Link> Cluster::caller(unsigned callee, std::uint16_t caller_port) const {
  const std::uint64_t socket = socket_between(caller_port, places_[callee]->proxy_port);
  for (unsigned i = 0; i < size() && socket != 0; ++i) {
    const pid_t supervisor = places_[i]->supervisor;
    if (supervisor != 0 && family_has_socket(supervisor, socket)) return i;
  }
  return std::nullopt;
}

NodeOptions Cluster::node_options(unsigned i, const Environment& environment) {
  NodeOptions node;
  node.flags = {"-public-url", address(i)};
  node.flags.insert(node.flags.end(), options_.flags.begin(), options_.flags.end());
  // Who waits for an acknowledgement gets it, also on a machine that stands still for seconds.
  const bool has_timeout =
      std::find(options_.flags.begin(), options_.flags.end(), "-write-timeout") != options_.flags.end();
  if (!has_timeout) node.flags.insert(node.flags.end(), {"-write-timeout", "20s"});
  node.environment = environment;
  node.environment.insert(options_.environment.begin(), options_.environment.end());
  node.environment.insert({"CLUSTER_NODES", addresses()});
  node.environment.insert({"MINIVAULT_AUTH", options_.auth_key});
  node.environment.insert({"LD_PRELOAD", preloaded()});
  node.environment.insert({"SLOW_NAMES_MS", std::to_string(options_.look_up.count())});
  node.environment.insert({"SKEWED_CLOCK_FILE", clock_file(i)});
#ifdef __SANITIZE_ADDRESS__
  node.environment.insert({"ASAN_OPTIONS", "verify_asan_link_order=0"});  // it wants to be loaded first
#endif
  node.on_start = [this, i](pid_t pid) { places_[i]->supervisor = pid; };
  return node;
}

void Cluster::start(unsigned i, const Environment& environment) {
  Place& place = *places_.at(i);
  NodeOptions options = node_options(i, environment);
  if (place.node) {
    place.node->options() = std::move(options);
    place.node->start();
  } else {
    place.node = std::make_unique<Node>(std::move(options));
  }
  serves(i, true);
}

void Cluster::start_all() {
  for (unsigned i = 0; i < size(); ++i) {
    if (!runs(i)) start(i);
  }
}

void Cluster::serves(unsigned i, bool runs) {
  Place& place = *places_.at(i);
  place.runs = runs;
  place.port = runs ? place.node->port() : std::uint16_t{0};
  place.proxy->forward_to(place.port);
}

void Cluster::stop(unsigned i) {
  const int status = node(i).stop();
  serves(i, false);
  if (status != 0) throw std::runtime_error("a node stopped with status " + std::to_string(status));
}

void Cluster::kill(unsigned i) {
  node(i).kill();
  serves(i, false);
}

void Cluster::restart(unsigned i) {
  stop(i);
  start(i);
}

void Cluster::wipe(unsigned i) {
  std::filesystem::remove_all(node(i).data());
}

std::string Cluster::clock_file(unsigned i) const {
  return directory_.file("clock" + std::to_string(i));
}

/// In place: the node has the file mapped.
void Cluster::set_clock(unsigned i, milliseconds offset) {
  const std::int64_t value = offset.count();
  const auto mode = std::filesystem::exists(clock_file(i)) ? std::ios::in | std::ios::out : std::ios::out;
  std::fstream file(clock_file(i), mode | std::ios::binary);
  file.write(reinterpret_cast<const char*>(&value), sizeof value);
  if (!file.flush()) throw std::runtime_error("cannot write " + clock_file(i));
}

void Cluster::set_calls(unsigned from, unsigned to, Faults faults) {
  places_.at(to)->proxy->set(Way::kThere, faults, from);
}

void Cluster::set(unsigned from, unsigned to, Faults faults) {
  set_calls(from, to, faults);
  places_.at(from)->proxy->set(Way::kBack, faults, to);
}

void Cluster::slow_all(Faults faults) {
  for (const auto& place : places_) {
    for (unsigned i = 0; i < size(); ++i) place->proxy->set(faults, i);
  }
}

void Cluster::partition(unsigned a, unsigned b) {
  set(a, b, {.stalled = true});
  set(b, a, {.stalled = true});
}

void Cluster::isolate(unsigned i) {
  for (unsigned other = 0; other < size(); ++other) {
    if (other != i) partition(i, other);
  }
}

void Cluster::disconnect(unsigned a, unsigned b) {
  places_.at(b)->proxy->refuse(true, a);
  places_.at(a)->proxy->refuse(true, b);
  cut(a, b);
}

void Cluster::cut(unsigned a, unsigned b) {
  places_.at(b)->proxy->cut(a);
  places_.at(a)->proxy->cut(b);
}

void Cluster::cut_after(std::uint64_t bytes, unsigned from, unsigned to) {
  places_.at(to)->proxy->cut_after(bytes, Way::kThere, from);
}

void Cluster::heal(unsigned a, unsigned b) {
  places_.at(b)->proxy->heal(a);
  places_.at(a)->proxy->heal(b);
}

void Cluster::heal() {
  for (unsigned a = 0; a < size(); ++a) {
    for (unsigned b = a + 1; b < size(); ++b) heal(a, b);
  }
}

unsigned Cluster::attempts(unsigned from, unsigned to) const {
  return places_.at(to)->proxy->accepted(from);
}

std::uint64_t Cluster::bytes(unsigned from, unsigned to) const {
  return places_.at(to)->proxy->bytes(Way::kThere, from) + places_.at(from)->proxy->bytes(Way::kBack, to);
}

rapidjson::Document Cluster::health(unsigned i) const {
  return parse_json(http(port(i), http_request("GET", "/health")).body);
}

unsigned Cluster::reachable(unsigned i) const {
  return health(i)["quorum"]["reachable"].GetUint();
}

void Cluster::await_reachable(unsigned i, unsigned count) const {
  eventually("node " + std::to_string(i) + " reaches " + std::to_string(count),
             [&] { return reachable(i) == count; });
}

void Cluster::await_quorum() const {
  unsigned running = 0;
  for (unsigned i = 0; i < size(); ++i) running += runs(i) ? 1 : 0;
  for (unsigned i = 0; i < size(); ++i) {
    if (runs(i)) await_reachable(i, running);
  }
  if (running < size()) return;  // who is new may wait for the others
  for (unsigned i = 0; i < size(); ++i) {
    eventually("node " + std::to_string(i) + " is complete", [&] { return health(i)["complete"].GetBool(); });
  }
}

std::string Cluster::dump(unsigned i) const {
  const Place& place = *places_.at(i);
  const std::string from = place.runs ? place.node->address() : place.node->data();
  const Finished done = run({minivault_binary(), "dump", from, "-auth", options_.auth_key});
  if (done.status != 0) throw std::runtime_error("no dump of node " + std::to_string(i) + ": " + done.err);
  return done.out;
}

Content Cluster::converge(milliseconds limit) const {
  std::string common;
  std::string difference;
  milliseconds pause{0};
  const auto same = [&] {
    std::this_thread::sleep_for(pause);  // a dump is work for a node, and lines in its log
    pause = std::min(pause * 2 + milliseconds(20), milliseconds(500));
    std::optional<std::string> first;
    for (unsigned i = 0; i < size(); ++i) {
      if (!runs(i)) continue;
      std::string lines = dump(i);
      if (first && lines != *first) {
        difference = "node " + std::to_string(i) + " and one before it: " + first_difference(*first, lines);
        return false;
      }
      first = std::move(lines);
    }
    common = first.value_or("");
    return true;
  };
  try {
    eventually("all nodes hold the same", same, limit);
  } catch (const std::runtime_error& late) {
    throw std::runtime_error(late.what() + ("; " + difference));
  }
  return parse_dump(common);
}

Content parse_dump(const std::string& lines) {
  Content content;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    const auto json = parse_json(line);
    const auto text = [&](const char* name) {
      const auto& member = json[name];
      if (!member.IsString()) return std::string(member["base64"].GetString());
      return std::string(member.GetString(), member.GetStringLength());
    };
    content[text("key")] = text("value");
  }
  return content;
}

}  // namespace minivault::test
