#include <algorithm>

#include "common/config/flags.h"
#include "common/config/loader.h"
#include "common/config/settings.h"

namespace minivault {
namespace {

/// A `#` behind a blank would begin a comment.
std::string line_of(const std::string& name, const std::string& text) {
  return name + (text.starts_with('#') ? " =" : " = ") + text;
}

/// Neither an address made of port 0, nor what a flag can say but no line.
bool file_can_hold(const settings::Setting& setting, const std::string& text) {
  settings::Draft scratch;
  if (setting.reach == settings::Reach::kNotInFile || !setting.apply(scratch, text)) return false;
  const auto read = settings::parse_config_file("", line_of(std::string(setting.name), text));
  return read && read->size() == 1 && read->begin()->second.text == text;
}

}  // namespace

std::string describe(const LoadedConfig& loaded) {
  constexpr std::size_t kOriginColumn = 40;
  std::string text;
  for (const settings::Setting& setting : settings::all_settings()) {
    const auto given = loaded.given.find(setting.name);
    if (given == loaded.given.end()) continue;
    const bool is_hidden = setting.is_secret && !given->second.text.empty();
    // What the file cannot hold is a comment, so that the rest can be fed back as one.
    const std::string& value = given->second.text;
    std::string line = is_hidden || !file_can_hold(setting, value) ? "# " : "";
    line.append(line_of(std::string(setting.name), is_hidden ? "(hidden)" : value));
    line.resize(std::max(line.size() + 1, kOriginColumn), ' ');
    text.append(line).append("# ").append(given->second.origin).append("\n");
  }
  return text;
}

}  // namespace minivault
