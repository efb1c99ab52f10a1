#include <algorithm>

#include "common/config/loader.h"

namespace minivault {

std::string describe(const LoadedConfig& loaded) {
  constexpr std::size_t kOriginColumn = 40;
  std::string text;
  for (const settings::Setting& setting : settings::all_settings()) {
    const auto given = loaded.given.find(setting.name);
    if (given == loaded.given.end()) continue;
    const bool is_hidden = setting.is_secret && !given->second.text.empty();
    // What the file cannot hold is a comment, so that the rest can be fed back as one.
    std::string line = is_hidden || setting.reach == settings::Reach::kNotInFile ? "# " : "";
    line.append(setting.name).append(" = ").append(is_hidden ? "(hidden)" : given->second.text);
    line.resize(std::max(line.size() + 1, kOriginColumn), ' ');
    text.append(line).append("# ").append(given->second.origin).append("\n");
  }
  return text;
}

}  // namespace minivault
