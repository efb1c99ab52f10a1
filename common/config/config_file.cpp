#include <algorithm>

#include "common/config/flags.h"
#include "common/config/values.h"

namespace minivault::settings {
namespace {

/// What is in front of a `#` that stands at the start or behind a blank.
std::string_view without_comment(std::string_view line) {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t') return line.substr(0, at);
  }
  return line;
}

Status read_line(GivenSettings& given, const std::string& place, std::string_view line) {
  const auto refuse = [&place](const std::string& message) {
    return fail(Code::kInvalidArgument, place + ": " + message);
  };
  const std::size_t equals = line.find('=');
  // The line is not shown: it may be a key that was written without its name.
  if (equals == std::string_view::npos) return refuse("expected name = value");
  const std::string_view name = trim(line.substr(0, equals));
  const std::string_view value = trim(line.substr(equals + 1));

  const Setting* setting = find_setting(name);
  if (setting == nullptr) return refuse("unknown setting " + quoted(name) + "; see minivault -help");
  if (setting->reach == Reach::kNotInFile) {
    return refuse(std::string(name) + " is taken from a flag or the environment, not from a file");
  }
  if (value.starts_with('"') || value.starts_with('\'')) {
    return refuse(std::string(name) + ": a value is written without quotes");
  }
  const auto [earlier, is_new] = given.try_emplace(std::string(name), Given{std::string(value), place});
  if (!is_new) return refuse(std::string(name) + " is already set at " + earlier->second.origin);
  return {};
}

}  // namespace

Result<GivenSettings> parse_config_file(const std::string& path, std::string_view content) {
  GivenSettings given;
  for (std::size_t number = 1; !content.empty(); ++number) {
    const std::size_t end = std::min(content.find('\n'), content.size());
    const std::string_view line = trim(without_comment(content.substr(0, end)));
    content.remove_prefix(std::min(end + 1, content.size()));
    if (line.empty()) continue;
    const auto status = read_line(given, path + ":" + std::to_string(number), line);
    if (!status) return tl::unexpected(status.error());
  }
  return given;
}

}  // namespace minivault::settings
