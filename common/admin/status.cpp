// `minivault status`: every node of a cluster, found through those that are named, and how each is.

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/admin/commands.h"
#include "common/admin/node_health.h"
#include "common/process/exit_code.h"

namespace minivault::admin {
namespace {

constexpr std::chrono::seconds kLookAgain{2};
/// Nodes are asked one after the other, so one that does not answer must not take long; -timeout is for all
/// else.
constexpr std::chrono::milliseconds kPatience{3'000};

struct Seen {
  std::string address;
  std::string id;          ///< empty: not known
  std::string error = {};  ///< empty: it answered
  rapidjson::Document health{};
};

std::string status_of(const Seen& node) {
  return node.error.empty() ? text_of(node.health, "status") : "unreachable";
}

/// Addresses to ask, each with the id that whoever named it knows it by.
struct Search {
  std::deque<std::pair<std::string, std::string>> open;
  std::set<std::string> addresses;
  std::set<std::string> ids;

  void add(const std::string& address, const std::string& id) {
    if (!id.empty() && ids.contains(id)) return;
    if (addresses.insert(address).second) open.emplace_back(address, id);
  }
};

void follow_peers(const Seen& node, Search& search) {
  for (const rapidjson::Value& peer : node.health["peers"].GetArray()) {
    if (text_of(peer, "state") != "itself") search.add(text_of(peer, "address"), text_of(peer, "id"));
  }
}

std::vector<Seen> look(const Arguments& arguments) {
  Arguments patient = arguments;
  patient.time_out = std::min(arguments.time_out, kPatience);
  Search search;
  for (const std::string& address : arguments.operands) search.add(address, "");
  std::vector<Seen> nodes;
  while (!search.open.empty()) {
    const auto [address, id] = search.open.front();
    search.open.pop_front();
    if (!id.empty() && search.ids.contains(id)) continue;  // found by another name meanwhile
    Seen node{.address = address, .id = id};
    Result<rapidjson::Document> health = health_at(patient, address);
    if (health) {
      node.id = text_of(*health, "node");
      if (!search.ids.insert(node.id).second) continue;
      node.health = std::move(*health);
      follow_peers(node, search);
    } else {
      node.error = health.error().message;
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

/// `3/2`: so many can be had, so many are needed.
std::string quorum_text(const rapidjson::Value& health) {
  const rapidjson::Value& quorum = health["quorum"];
  return std::to_string(number_of(quorum, "reachable")) + "/" + std::to_string(number_of(quorum, "needed"));
}

/// Of the peer that is furthest behind.
std::string lag_text(const rapidjson::Value& health) {
  std::uint64_t bytes = 0;
  std::uint64_t ms = 0;
  for (const rapidjson::Value& peer : health["peers"].GetArray()) {
    bytes = std::max(bytes, number_of(peer, "lag_bytes"));
    ms = std::max(ms, number_of(peer, "lag_ms"));
  }
  return std::to_string(bytes) + " B, " + std::to_string(ms) + " ms";
}

/// `2 owed`: it may lack writes that two of its peers hold; empty where it lacks nothing. `2 owed, 41%`: so
/// far is the repair under way.
std::string repairs_text(const rapidjson::Value& health) {
  const std::uint64_t owed = number_of(health, "repairs_owed");
  std::string text = owed == 0 ? "" : std::to_string(owed) + " owed";
  for (const rapidjson::Value& peer : health["peers"].GetArray()) {
    const std::string progress = repair_progress_of(peer);
    if (!progress.empty()) text += (text.empty() ? "" : ", ") + progress;
  }
  return text;
}

/// `worker 2, replicator 1`; `0` where nothing was started again.
std::string restarts_text(const rapidjson::Value& health) {
  std::map<std::string, std::uint64_t> restarts;
  const auto processes = health.FindMember("processes");
  if (processes == health.MemberEnd() || !processes->value.IsArray()) return "?";
  for (const rapidjson::Value& process : processes->value.GetArray()) {
    restarts[text_of(process, "role")] += number_of(process, "restarts");
  }
  std::string text;
  for (const auto& [role, count] : restarts) {
    if (count == 0) continue;
    text += (text.empty() ? "" : ", ") + role + " " + std::to_string(count);
  }
  return text.empty() ? "0" : text;
}

void print_table(const std::vector<Seen>& nodes) {
  const auto row = [](const char* address, const char* state, const char* version, const char* keys,
                      const char* quorum, const char* lag, const char* repairs, const char* restarts,
                      const char* node) {
    std::printf("%-24s  %-11s  %-8s  %12s  %6s  %-20s  %-11s  %-16s  %s\n", address, state, version, keys,
                quorum, lag, repairs, restarts, node);
  };
  row("ADDRESS", "STATE", "VERSION", "KEYS", "QUORUM", "LAG", "REPAIRS", "RESTARTS", "NODE");
  for (const Seen& node : nodes) {
    if (!node.error.empty()) {
      row(node.address.c_str(), "unreachable", "", "", "", "", "", "", (node.id + "  " + node.error).c_str());
      continue;
    }
    row(node.address.c_str(), status_of(node).c_str(), text_of(node.health, "version").c_str(),
        std::to_string(number_of(node.health, "keys")).c_str(), quorum_text(node.health).c_str(),
        lag_text(node.health).c_str(), repairs_text(node.health).c_str(), restarts_text(node.health).c_str(),
        node.id.c_str());
  }
}

void print_json(const std::vector<Seen>& nodes) {
  rapidjson::StringBuffer text;
  rapidjson::Writer<rapidjson::StringBuffer> writer(text);
  const auto member = [&writer](const char* name, const std::string& value) {
    writer.Key(name);
    writer.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
  };
  writer.StartObject();
  writer.Key("nodes");
  writer.StartArray();
  for (const Seen& node : nodes) {
    writer.StartObject();
    member("address", node.address);
    member("node", node.id);
    member("status", status_of(node));
    if (!node.error.empty()) member("error", node.error);
    if (node.error.empty()) {
      writer.Key("health");
      node.health.Accept(writer);
    }
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  std::printf("%s\n", text.GetString());
}

int exit_status_of(const std::vector<Seen>& nodes) {
  const auto answered = [](const Seen& node) { return node.error.empty(); };
  if (std::none_of(nodes.begin(), nodes.end(), answered)) return kExitNotRunning;
  const auto healthy = [](const Seen& node) { return status_of(node) == "healthy"; };
  return std::all_of(nodes.begin(), nodes.end(), healthy) ? kDone : kNotDone;
}

}  // namespace

int run_status(const Arguments& arguments) {
  if (arguments.operands.empty()) {
    not_done("want the ADDRESS of one node of the cluster, or of several");
    return kWrongUsage;
  }
  const bool watches = arguments.own.contains("watch");
  const bool as_json = arguments.own.contains("json");
  while (true) {
    const std::vector<Seen> nodes = look(arguments);
    if (watches && ::isatty(STDOUT_FILENO) == 1) std::printf("\033[H\033[J");
    as_json ? print_json(nodes) : print_table(nodes);
    if (!watches) return exit_status_of(nodes);
    if (std::fflush(stdout) != 0) return kNotDone;
    std::this_thread::sleep_for(kLookAgain);
  }
}

}  // namespace minivault::admin
