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

Result<DumpLine> parse_dump_line(std::string_view line) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag>(line.data(),
                                                                                         line.size());
  if (document.HasParseError() || !document.IsObject()) return wrong("not a JSON object");
  Result<std::string> key = bytes_of(document, "key");
  if (!key) return tl::unexpected(key.error());
  if (key->empty() || key->size() > 65'535)
    return wrong("a key of " + std::to_string(key->size()) + " bytes");
  Result<std::string> value = bytes_of(document, "value");
  if (!value) return tl::unexpected(value.error());
  const bool has_json = document.HasMember("json");
  if (has_json && !document["json"].IsBool()) return wrong("\"json\" is neither true nor false");
  return DumpLine{std::move(*key), std::move(*value), has_json && document["json"].GetBool()};
}

}  // namespace minivault::admin
