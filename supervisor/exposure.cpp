#include "supervisor/exposure.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/cluster/members.h"
#include "common/core/log.h"

namespace minivault::supervisor {

void take_over_sockets(Config& config, const Listeners& listeners) {
  const std::string as_configured = "localhost:" + std::to_string(config.port);
  if (listeners.both.was_passed) {
    config.port = listeners.both.port;
    config.bind = listeners.both.host;
    config.description += "# port, bind: a socket that was passed, " + config.bind + " port " +
                          std::to_string(config.port) + "\n";
  } else if (config.port == 0) {
    config.port = listeners.both.port;
    config.description += "# port: any that is free, now " + std::to_string(config.port) + "\n";
  }
  if (config.public_url == as_configured) config.public_url = "localhost:" + std::to_string(config.port);
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

void warn_if_nameless(const Config& config) {
  const std::vector<std::string>& nodes = config.cluster_nodes;
  const auto other = std::find_if_not(nodes.begin(), nodes.end(),
                                      [](const auto& node) { return cluster::is_loopback_name(node); });
  if (other == nodes.end() || !cluster::is_loopback_name(config.public_url)) return;
  log_line(
      LogLevel::kWarning, "public_url_is_loopback",
      {{"public_url", config.public_url},
       {"listed", *other},
       {"hint",
        "no other machine finds this node there, and once its disk is replaced its old id stays a member: "
        "set -public-url to what the others list it as"}});
}

void warn_at_start(const Config& config, const Listeners& listeners) {
  warn_if_open(config, listeners);
  warn_if_nameless(config);
  if (::geteuid() != 0 || config.user == "root") return;
  log_line(LogLevel::kWarning, "running_as_root", {{"hint", "-user NAME becomes one who may do less"}});
}

}  // namespace minivault::supervisor
