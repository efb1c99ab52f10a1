#include "common/admin/arguments.h"

#include <cerrno>
#include <fstream>
#include <iterator>

#include "common/client/command_arguments.h"

namespace minivault::admin {
namespace {

/// The key without the line break that an editor leaves at its end.
Result<std::string> read_key(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail_errno(path, errno);
  std::string key(std::istreambuf_iterator<char>(stream), {});
  while (key.ends_with('\n') || key.ends_with('\r')) key.pop_back();
  if (key.empty()) return fail(Code::kInvalidArgument, path + ": no key in it");
  return key;
}

Status apply(Arguments& arguments, std::string_view name, const std::string& value) {
  if (name == "auth") {
    arguments.auth_key = value;
  } else if (name == "auth-file") {
    Result<std::string> key = read_key(value);
    if (!key) return tl::unexpected(key.error());
    arguments.auth_key = std::move(*key);
  } else {
    const auto time_out = client::parse_duration(value);
    if (!time_out) return fail(Code::kInvalidArgument, "-timeout: " + time_out.error().message);
    arguments.time_out = *time_out;
  }
  return {};
}

}  // namespace

Result<Arguments> parse_arguments(std::span<const std::string_view> words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word == "--") {
      arguments.operands.insert(arguments.operands.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                words.end());
      break;
    }
    if (word.size() < 2 || word.front() != '-') {
      arguments.operands.emplace_back(word);
      continue;
    }
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    if (name == "help" || name == "h") {
      arguments.help = true;
      continue;
    }
    if (name == "watch" || name == "json") {
      (name == "watch" ? arguments.watch : arguments.json) = true;
      continue;
    }
    if (name != "auth" && name != "auth-file" && name != "timeout") {
      return fail(Code::kInvalidArgument, "unknown flag " + std::string(words[i]));
    }
    if (equals == std::string_view::npos && ++i == words.size()) {
      return fail(Code::kInvalidArgument, std::string(words[i - 1]) + " needs a value");
    }
    const std::string value(equals == std::string_view::npos ? words[i] : word.substr(equals + 1));
    if (Status applied = apply(arguments, name, value); !applied) return tl::unexpected(applied.error());
  }
  return arguments;
}

}  // namespace minivault::admin
