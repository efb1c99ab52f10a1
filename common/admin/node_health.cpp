#include "common/admin/node_health.h"

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
  health.Parse(text->data(), text->size());
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

std::string text_of(const rapidjson::Value& object, const char* name) {
  const auto member = object.FindMember(name);
  return member != object.MemberEnd() && member->value.IsString() ? member->value.GetString() : "";
}

std::uint64_t number_of(const rapidjson::Value& object, const char* name) {
  const auto member = object.FindMember(name);
  return member != object.MemberEnd() && member->value.IsUint64() ? member->value.GetUint64() : 0;
}

}  // namespace minivault::admin
