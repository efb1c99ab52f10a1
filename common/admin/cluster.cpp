#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "common/admin/commands.h"
#include "common/admin/node_health.h"
#include "common/cluster/message.h"

namespace minivault::admin {
namespace {

constexpr std::size_t kForgetOperands = 3;  // cluster forget ID ADDRESS
constexpr std::chrono::milliseconds kLookAgain{50};

Status tell(client::Connection& connection, std::string_view kind, std::string_view message) {
  const Result<std::string> answer = connection.sync(kind, message);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->empty()) return fail(Code::kCorrupt, "an empty answer");
  if (answer->front() == static_cast<char>(cluster::Reply::kOk)) return {};
  return fail(Code::kUnavailable, answer->substr(1));
}

/// A message that people send, behind the hello of nobody who wants to be known.
Status ask(client::Connection& connection, std::string_view kind, std::string_view message) {
  cluster::Hello hello;
  hello.dial_back = true;
  if (Status said = tell(connection, cluster::kHello, cluster::encode(hello)); !said) return said;
  return tell(connection, kind, message);
}

void show_standing(const rapidjson::Value& health) {
  const rapidjson::Value& quorum = health["quorum"];
  std::printf("node %s, %s; ", text_of(health, "node").c_str(), text_of(health, "status").c_str());
  const auto agreed = quorum.FindMember("agreed");
  if (agreed == quorum.MemberEnd() || !agreed->value.IsFalse()) {
    std::printf("a write needs %" PRIu64 " copies, %" PRIu64 " can be had\n", number_of(quorum, "needed"),
                number_of(quorum, "reachable"));
  } else {
    std::printf(
        "no write is acknowledged: the members are not agreed on yet (members_not_agreed in the log says who "
        "is waited for)\n");
  }
  if (const std::uint64_t owed = number_of(health, "repairs_owed"); owed > 0) {
    std::printf(
        "it may lack writes that others acknowledged until it has repaired with %" PRIu64 " of them\n", owed);
  }
  const auto peers = health["peers"].GetArray();
  const auto lacking = std::count_if(
      peers.Begin(), peers.End(), [](const rapidjson::Value& peer) { return is_true(peer, "lacks_repair"); });
  if (lacking > 0) {
    std::printf("%td of its peers may lack writes of its own until they have repaired with it\n", lacking);
  }
}

void show_row(const std::string& address, const std::string& id, const std::string& state,
              const std::string& lag_bytes, const std::string& lag_ms, const char* repair,
              const std::string& error) {
  std::printf("%-24s  %-16s  %-11s  %12s  %8s  %-6s  %s\n", address.c_str(), id.c_str(), state.c_str(),
              lag_bytes.c_str(), lag_ms.c_str(), repair, error.c_str());
}

void show_peer(const rapidjson::Value& peer, const std::string& id) {
  const std::string state = text_of(peer, "state");
  const std::string progress = repair_progress_of(peer);
  const bool owed = is_true(peer, "repair_owed");
  const bool lacks = is_true(peer, "lacks_repair");
  const char* const owes = owed && lacks ? "both" : owed ? "owed" : lacks ? "lacks" : "";
  // What went wrong before all was well again is for the log.
  show_row(text_of(peer, "address"), id, state, std::to_string(number_of(peer, "lag_bytes")),
           std::to_string(number_of(peer, "lag_ms")), progress.empty() ? owes : progress.c_str(),
           state == "streaming" ? "" : text_of(peer, "last_error"));
}

/// Members that no peer says to be. Several may have one address: each of these is somebody else.
std::vector<NotedMember> unheard_of(const rapidjson::Value& health) {
  std::vector<NotedMember> members = members_in(health);
  std::erase_if(members, [&](const NotedMember& member) {
    const auto peers = health["peers"].GetArray();
    return member.state == "itself" || std::any_of(peers.Begin(), peers.End(), [&](const auto& peer) {
             return text_of(peer, "id") == member.id;
           });
  });
  return members;
}

/// As the peer said, or, of one that has not answered since the node's start, as the one member at its
/// address is noted. Where several have that address, it may be any of them.
std::string take_id(const rapidjson::Value& peer, const std::vector<NotedMember>& members,
                    std::vector<NotedMember>& others) {
  std::string id = text_of(peer, "id");
  if (!id.empty() || text_of(peer, "state") == "itself") return id;
  const std::string address = text_of(peer, "address");
  const auto is_there = [&](const NotedMember& member) { return member.address == address; };
  const auto there = std::find_if(others.begin(), others.end(), is_there);
  if (there == others.end() || std::count_if(members.begin(), members.end(), is_there) > 1) return "";
  id = there->id;
  others.erase(there);
  return id;
}

/// Who is listed by one address and calls itself by another may be both a peer and one of these.
void show_others(const std::vector<NotedMember>& others, bool all_are_known) {
  const std::string says =
      all_are_known ? "counts for the majority, and no peer says to be it: forget it if its disk is gone"
                    : "counts for the majority, and may be a peer above whose id is not known: forget "
                      "it only if its disk is gone";
  for (const NotedMember& member : others) {
    const std::string state = member.state == "not_called" ? "not called" : member.state;
    show_row(member.address, member.id, state, "", "", "", says);
  }
}

void show(const rapidjson::Value& health) {
  show_standing(health);
  const std::vector<NotedMember> members = members_in(health);
  std::vector<NotedMember> others = unheard_of(health);
  if (health["peers"].Empty() && others.empty()) return;
  show_row("PEER", "ID", "STATE", "LAG BYTES", "LAG MS", "REPAIR", "LAST ERROR");
  bool all_are_known = true;
  for (const rapidjson::Value& peer : health["peers"].GetArray()) {
    const std::string id = take_id(peer, members, others);
    all_are_known = all_are_known && (!id.empty() || text_of(peer, "state") == "itself");
    show_peer(peer, id);
  }
  show_others(others, all_are_known);
}

int show_cluster(const Arguments& arguments) {
  Result<client::Connection> connection = connect(arguments, arguments.operands[0]);
  if (!connection) return not_done(connection.error().message);
  const Result<rapidjson::Document> health = health_of(*connection);
  if (!health) return not_done(health.error().message);
  show(*health);
  return kDone;
}

Result<bool> knows(client::Connection& connection, const std::string& id) {
  const Result<rapidjson::Document> health = health_of(connection);
  if (!health) return tl::unexpected(health.error());
  for (const rapidjson::Value& peer : (*health)["peers"].GetArray()) {
    if (text_of(peer, "id") == id && text_of(peer, "state") != "refused") return true;
  }
  const std::vector<NotedMember> members = members_in(*health);
  return std::any_of(members.begin(), members.end(),
                     [&](const NotedMember& member) { return member.id == id; });
}

int forget(const Arguments& arguments) {
  const std::string& id = arguments.operands[1];
  Result<client::Connection> connection = connect(arguments, arguments.operands[2]);
  if (!connection) return not_done(connection.error().message);
  if (Status told = ask(*connection, cluster::kForget, id); !told) return not_done(told.error().message);
  const auto until = std::chrono::steady_clock::now() + arguments.time_out;
  for (Result<bool> still = knows(*connection, id);; still = knows(*connection, id)) {
    if (!still) return not_done(still.error().message);
    if (!*still) return kDone;
    if (std::chrono::steady_clock::now() >= until) return not_done(id + " is still a member");
    std::this_thread::sleep_for(kLookAgain);
  }
}

}  // namespace

int run_cluster(const Arguments& arguments) {
  if (arguments.operands.size() == 1) return show_cluster(arguments);
  if (arguments.operands.size() == kForgetOperands && arguments.operands[0] == "forget") {
    return forget(arguments);
  }
  not_done("want `cluster ADDRESS` or `cluster forget ID ADDRESS`");
  return kWrongUsage;
}

int run_repair(const Arguments& arguments) {
  Result<client::Connection> connection = connect(arguments, arguments.operands[0]);
  if (!connection) return not_done(connection.error().message);
  const Status told = ask(*connection, cluster::kRepair, {});
  return told ? kDone : not_done(told.error().message);
}

}  // namespace minivault::admin
