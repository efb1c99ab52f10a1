#include "common/admin/node_health.h"

#include <algorithm>

namespace minivault::admin {

Result<client::Connection> connect(const Arguments& arguments, const std::string& text) {
  const Result<client::Address> address = client::parse_address(text);
  if (!address) return tl::unexpected(address.error());
  client::Options options;
  options.auth_key = arguments.auth_key;
  options.connect_timeout = options.request_timeout = arguments.time_out;
  return client::Connection::open(*address, options);
}

Result<rapidjson::Document> health_of(client::Connection& connection) {
  const Result<std::string> text = connection.health();
  if (!text) return tl::unexpected(text.error());
  rapidjson::Document health;
  // Iterative: whoever answers there may nest as deep as it likes.
  health.Parse<rapidjson::kParseIterativeFlag>(text->data(), text->size());
  const bool told = !health.HasParseError() && health.IsObject() && health.HasMember("quorum") &&
                    health.HasMember("peers") && health["peers"].IsArray() && health["quorum"].IsObject();
  if (!told) return fail(Code::kCorrupt, "the node's health says nothing of a cluster");
  return health;
}

Result<rapidjson::Document> health_at(const Arguments& arguments, const std::string& address) {
  Result<client::Connection> connection = connect(arguments, address);
  if (!connection) return tl::unexpected(connection.error());
  return health_of(*connection);
}

std::string printable(std::string text, Lines lines) {
  const auto is_control = [lines](unsigned char byte) {
    return (byte < 0x20 && (byte != '\n' || lines == Lines::kOne)) || byte == 0x7f;
  };
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

std::string text_of(const rapidjson::Value& object, const char* name) {
  if (!object.IsObject()) return "";
  const auto member = object.FindMember(name);
  return member != object.MemberEnd() && member->value.IsString()
             ? printable(member->value.GetString(), Lines::kOne)
             : "";
}

std::uint64_t number_of(const rapidjson::Value& object, const char* name) {
  if (!object.IsObject()) return 0;
  const auto member = object.FindMember(name);
  return member != object.MemberEnd() && member->value.IsUint64() ? member->value.GetUint64() : 0;
}

bool is_true(const rapidjson::Value& object, const char* name) {
  if (!object.IsObject()) return false;
  const auto member = object.FindMember(name);
  return member != object.MemberEnd() && member->value.IsTrue();
}

std::string repair_progress_of(const rapidjson::Value& peer) {
  constexpr double kMost = 99;
  const auto of = static_cast<double>(number_of(peer, "repair_keys_of"));
  if (of == 0) return "";
  const double share = static_cast<double>(number_of(peer, "repair_keys")) / of;
  return std::to_string(static_cast<unsigned>(std::min(kMost, share * 100))) + "%";
}

std::vector<NotedMember> members_in(const rapidjson::Value& health) {
  std::vector<NotedMember> all;
  const auto members = health.FindMember("members");
  if (members == health.MemberEnd() || !members->value.IsArray()) return all;
  for (const rapidjson::Value& member : members->value.GetArray()) {
    all.push_back({text_of(member, "id"), text_of(member, "address"), text_of(member, "state")});
  }
  return all;
}

}  // namespace minivault::admin
