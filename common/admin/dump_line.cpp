#include "common/admin/dump_line.h"

#include <Poco/Base64Decoder.h>
#include <Poco/Base64Encoder.h>
#include <rapidjson/document.h>

#include <cstdio>
#include <iterator>
#include <sstream>

#include "common/protocol/json_value.h"

namespace minivault::admin {
namespace {

constexpr std::size_t kLargestKey = 65'535;

tl::unexpected<Error> wrong(std::string what) {
  return fail(Code::kInvalidArgument, std::move(what));
}

std::string to_base64(std::string_view bytes) {
  std::ostringstream text;
  Poco::Base64Encoder encoder(text);
  encoder.rdbuf()->setLineLength(0);
  encoder.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  encoder.close();
  return text.str();
}

Result<std::string> from_base64(const std::string& text) try {
  std::istringstream stream(text);
  Poco::Base64Decoder decoder(stream);
  std::string bytes(std::istreambuf_iterator<char>(decoder), {});
  // The decoder forgives what it should not: blanks, missing ends.
  if (to_base64(bytes) != text) return wrong("not base64");
  return bytes;
} catch (const std::exception&) {
  return wrong("not base64");
}

/// A JSON string where the bytes are one, else {"base64":"…"}.
void append_bytes(std::string& out, std::string_view bytes) {
  if (protocol::is_utf8(bytes)) return protocol::append_json_string(out, bytes);
  out.append("{\"base64\":\"").append(to_base64(bytes)).append("\"}");
}

Result<std::string> bytes_of(const rapidjson::Value& object, const char* name) {
  if (!object.HasMember(name)) return wrong(std::string("no \"") + name + '"');
  const rapidjson::Value& value = object[name];
  if (value.IsString()) return std::string(value.GetString(), value.GetStringLength());
  if (value.IsObject() && value.MemberCount() == 1 && value.HasMember("base64") &&
      value["base64"].IsString()) {
    auto bytes = from_base64({value["base64"].GetString(), value["base64"].GetStringLength()});
    if (!bytes) return wrong(std::string("\"") + name + "\": " + bytes.error().message);
    return bytes;
  }
  return wrong(std::string("\"") + name + "\" is neither a string nor {\"base64\":\"...\"}");
}

/// Of two members of one name the parser takes the first, a node that is sent them the last.
Status refuse_twice(const rapidjson::Value& object) {
  for (const std::string_view name : {"key", "value", "json", "version"}) {
    std::size_t found = 0;
    for (const auto& member : object.GetObject()) {
      found += std::string_view(member.name.GetString(), member.name.GetStringLength()) == name ? 1U : 0U;
    }
    if (found > 1) return wrong("\"" + std::string(name) + "\" is there " + std::to_string(found) + " times");
  }
  return {};
}

}  // namespace

void append_dump_line(std::string& out, const archive::Record& record) {
  out += "{\"key\":";
  append_bytes(out, record.key);
  out += ",\"value\":";
  append_bytes(out, record.value);
  if ((record.flags & store::kFlagJson) != 0) out += ",\"json\":true";
  char version[80];
  std::snprintf(version, sizeof version, ",\"version\":\"%llu@%016llx\"}\n",
                static_cast<unsigned long long>(record.version.hlc),
                static_cast<unsigned long long>(record.version.origin));
  out += version;
}

std::uint64_t longest_dump_line(std::uint64_t largest_value) {
  constexpr std::uint64_t kMostOfAByte = 6;  // \u0000
  constexpr std::uint64_t kAround = 1'024;   // names, version, white space
  return kMostOfAByte * (kLargestKey + largest_value) + kAround;
}

Result<DumpLine> parse_dump_line(std::string_view line) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag>(line.data(),
                                                                                         line.size());
  if (document.HasParseError() || !document.IsObject()) return wrong("not a JSON object");
  if (Status once = refuse_twice(document); !once) return tl::unexpected(once.error());
  Result<std::string> key = bytes_of(document, "key");
  if (!key) return tl::unexpected(key.error());
  if (key->empty() || key->size() > kLargestKey)
    return wrong("a key of " + std::to_string(key->size()) + " bytes");
  Result<std::string> value = bytes_of(document, "value");
  if (!value) return tl::unexpected(value.error());
  const bool has_json = document.HasMember("json");
  if (has_json && !document["json"].IsBool()) return wrong("\"json\" is neither true nor false");
  const bool is_json = has_json && document["json"].GetBool();
  // It becomes a part of what is sent, where `1,"more":2` would be two.
  if (is_json && !protocol::is_json(*value)) return wrong("\"value\" is not JSON, which \"json\" says it is");
  return DumpLine{std::move(*key), std::move(*value), is_json};
}

}  // namespace minivault::admin
