#include "supervisor/exposure.h"

#include <unistd.h>

#include <string>

#include "common/core/log.h"

namespace minivault::supervisor {

void take_over_sockets(Config& config, const Listeners& listeners) {
  if (listeners.both.was_passed) {
    const std::string as_configured = "localhost:" + std::to_string(config.port);
    config.port = listeners.both.port;
    config.bind = listeners.both.host;
    if (config.public_url == as_configured) config.public_url = "localhost:" + std::to_string(config.port);
    config.description += "# port, bind: a socket that was passed, " + config.bind + " port " +
                          std::to_string(config.port) + "\n";
  }
  if (listeners.http.was_passed) {
    config.http_port = listeners.http.port;
    config.description += "# http: a socket that was passed, port " + std::to_string(config.http_port) + "\n";
  }
}

void warn_if_open(const Config& config, const Listeners& listeners) {
  const bool reachable =
      listeners.both.beyond_loopback || (listeners.http.socket && listeners.http.beyond_loopback);
  if (!reachable || config.auth_mode != AuthMode::kNone) return;
  log_line(LogLevel::kWarning, "open_to_everybody",
           {{"address", listeners.both.host},
            {"port", listeners.both.port},
            {"hint",
             "whoever reaches this port may read and write all: set -auth-file with -authmode, or "
             "-bind 127.0.0.1"}});
}

void warn_at_start(const Config& config, const Listeners& listeners) {
  warn_if_open(config, listeners);
  if (::geteuid() != 0 || config.user == "root") return;
  log_line(LogLevel::kWarning, "running_as_root", {{"hint", "-user NAME becomes one who may do less"}});
}

}  // namespace minivault::supervisor
