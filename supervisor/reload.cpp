#include "supervisor/reload.h"

#include <utility>

namespace minivault::supervisor {

Reloaded merge(const Config& running, Config fresh) {
  Reloaded result;
  const auto keep = [&](const char* flag, auto Config::*setting) {
    if (fresh.*setting == running.*setting) return;
    fresh.*setting = running.*setting;
    result.needs_restart.emplace_back(flag);
  };
  keep("-port", &Config::port);
  keep("-http", &Config::http_port);
  keep("-bind", &Config::bind);
  keep("-data", &Config::data_directory);
  keep("-user", &Config::user);
  keep("-log", &Config::log_bytes);
  keep("-sync", &Config::sync);
  for (const std::string& flag : result.needs_restart) {
    fresh.description += "# " + flag.substr(1) + ": as before, until the next start\n";
  }
  result.config = std::move(fresh);
  return result;
}

}  // namespace minivault::supervisor
