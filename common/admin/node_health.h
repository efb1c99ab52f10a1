#pragma once

#include <rapidjson/document.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/admin/arguments.h"
#include "common/client/connection.h"

/// A running node's health, for the commands that show it.
namespace minivault::admin {

/// With the key and the time-out of the command line. Errors: as client::Connection::open().
[[nodiscard]] Result<client::Connection> connect(const Arguments& arguments, const std::string& address);

/// An object with `quorum` and `peers` in it. Errors: kCorrupt, and those of the connection.
[[nodiscard]] Result<rapidjson::Document> health_of(client::Connection& connection);
[[nodiscard]] Result<rapidjson::Document> health_at(const Arguments& arguments, const std::string& address);

enum class Lines { kOne, kMany };
/// What a node said is shown on a terminal, which must not be told anything by it: control characters become
/// question marks.
[[nodiscard]] std::string printable(std::string text, Lines lines);

// Empty, 0 or false where there is no such member.
[[nodiscard]] std::string text_of(const rapidjson::Value& object, const char* name);
[[nodiscard]] std::uint64_t number_of(const rapidjson::Value& object, const char* name);
[[nodiscard]] bool is_true(const rapidjson::Value& object, const char* name);

/// How far the repair with a peer is, as `41%`; empty: none is under way, or nobody knows how much there is
/// to do. 99 % at most: how much that is was an estimate when it began.
[[nodiscard]] std::string repair_progress_of(const rapidjson::Value& peer);

/// Who counts for the majority, as the node has noted it.
struct NotedMember {
  std::string id;
  std::string address;
  std::string state;  ///< as among `peers`; "itself"; "not_called": it is no peer
};
/// Empty where the node says nothing of them, as older ones do.
[[nodiscard]] std::vector<NotedMember> members_in(const rapidjson::Value& health);

}  // namespace minivault::admin
