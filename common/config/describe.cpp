#include <algorithm>

#include "common/config/loader.h"
#include "common/config/settings.h"

namespace minivault {

std::string describe(const LoadedConfig& loaded) {
  constexpr std::size_t kOriginColumn = 40;
  std::string text;
  for (const settings::Setting& setting : settings::all_settings()) {
    const auto given = loaded.given.find(setting.name);
    if (given == loaded.given.end()) continue;
    const bool is_hidden = setting.is_secret && !given->second.text.empty();
    // What the file cannot hold is a comment, so that the rest can be fed back as one: nor can it an address
    // made of port 0.
    settings::Draft scratch;
    const bool is_for_file =
        setting.reach != settings::Reach::kNotInFile && setting.apply(scratch, given->second.text);
    std::string line = is_hidden || !is_for_file ? "# " : "";
    line.append(setting.name).append(" = ").append(is_hidden ? "(hidden)" : given->second.text);
    line.resize(std::max(line.size() + 1, kOriginColumn), ' ');
    text.append(line).append("# ").append(given->second.origin).append("\n");
  }
  return text;
}

}  // namespace minivault
