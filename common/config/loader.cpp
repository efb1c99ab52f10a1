#include "common/config/loader.h"

#include <algorithm>

#include "common/config/values.h"

namespace minivault {
namespace {

using settings::Action;
using settings::Draft;
using settings::Given;
using settings::GivenSettings;
using settings::quoted;
using settings::Setting;

constexpr unsigned kMostProcesses = 64;
constexpr std::size_t kLongestKey = 65'535;

/// `port (environment MINIVAULT_PORT): message`.
tl::unexpected<Error> refuse(std::string_view name, const Given& given, const std::string& message) {
  return fail(Code::kInvalidArgument, std::string(name) + " (" + given.origin + "): " + message);
}

Status apply(Draft& draft, const Setting& setting, const Given& given) {
  if (setting.apply(draft, given.text)) return {};
  const std::string shown = setting.is_secret ? "the value" : quoted(given.text);
  return refuse(setting.name, given, shown + " is not accepted; accepted: " + std::string(setting.accepted));
}

std::optional<Given> from_environment(const Setting& setting, const ConfigSources& sources) {
  const std::string name = settings::environment_name(setting);
  auto text = sources.environment(name);
  if (!text || text->empty()) return std::nullopt;
  return Given{*std::move(text), "environment " + name};
}

/// Adds what the environment gives and no flag did.
void add_environment(GivenSettings& given, const ConfigSources& sources) {
  for (const Setting& setting : settings::all_settings()) {
    auto text = from_environment(setting, sources);
    if (text) given.try_emplace(std::string(setting.name), *std::move(text));
  }
}

/// Adds what the configuration file gives, and neither flag nor environment did.
Status add_file(GivenSettings& given, const ConfigSources& sources) {
  const auto named = given.find("config");
  const Given file = named == given.end() ? Given{kDefaultConfigFile, "default"} : named->second;
  if (file.text.empty()) return {};
  const auto content = sources.read_file(file.text);
  if (!content) {
    if (named == given.end() && content.error().code == Code::kNotFound) return {};
    return refuse("config", file, content.error().message);
  }
  auto from_file = settings::parse_config_file(file.text, *content);
  if (!from_file) return tl::unexpected(from_file.error());
  // Checked even where a flag overrides it: a file is right or wrong, whoever looks at it.
  Draft scratch;
  for (const auto& [name, text] : *from_file) {
    const auto status = apply(scratch, *settings::find_setting(name), text);
    if (!status) return status;
  }
  if (named == given.end()) given.emplace("config", file);
  given.merge(*from_file);
  return {};
}

/// What is nowhere given keeps Config's own default, but for the two that depend on something else.
void add_defaults(GivenSettings& given, Draft& draft, unsigned cores) {
  if (!given.contains("procs")) draft.config.worker_processes = std::clamp(cores, 1U, kMostProcesses);
  if (!given.contains("public-url")) {
    draft.config.public_url = "localhost:" + std::to_string(draft.config.port);
  }
  given.try_emplace("procs", Given{std::to_string(draft.config.worker_processes), "default"});
  given.try_emplace("public-url", Given{draft.config.public_url, "default"});
  for (const Setting& setting : settings::all_settings()) {
    given.try_emplace(std::string(setting.name), Given{std::string(setting.default_text), "default"});
  }
}

/// A key's last newline is the editor's, not the key's.
Status read_auth_file(Draft& draft, const Given& given, const ConfigSources& sources) {
  const auto content = sources.read_secret(draft.auth_file);
  if (!content) return refuse("auth-file", given, content.error().message);
  std::string key = *content;
  if (key.ends_with('\n')) key.pop_back();
  if (key.ends_with('\r')) key.pop_back();
  if (key.empty()) return refuse("auth-file", given, quoted(draft.auth_file) + " holds no key");
  if (key.size() > kLongestKey || !settings::is_plain_text(key)) {
    return refuse("auth-file", given,
                  quoted(draft.auth_file) + " holds no usable key; accepted: " +
                      "one line of at most 65535 bytes without control characters");
  }
  draft.config.auth_key = std::move(key);
  return {};
}

Status check_auth(Draft& draft, const GivenSettings& given, const ConfigSources& sources) {
  const Given& file = given.at("auth-file");
  if (!draft.auth_file.empty()) {
    if (!draft.config.auth_key.empty()) {
      return refuse("auth-file", file, "excludes auth (" + given.at("auth").origin + "); give the key once");
    }
    const auto status = read_auth_file(draft, file, sources);
    if (!status) return status;
  }
  if (draft.config.auth_mode != AuthMode::kNone && draft.config.auth_key.empty()) {
    const Given& mode = given.at("authmode");
    return refuse("authmode", mode,
                  quoted(mode.text) + " needs a key from auth or auth-file; accepted without: none");
  }
  return {};
}

Status check_ports(const Draft& draft, const GivenSettings& given) {
  if (draft.config.http_port == 0 || draft.config.http_port != draft.config.port) return {};
  return refuse("http", given.at("http"),
                given.at("http").text + " is also port (" + given.at("port").origin +
                    "); accepted: another port, or 0");
}

Status check_user(const Draft& draft, const GivenSettings& given, const ConfigSources& sources) {
  if (draft.config.user.empty()) return {};
  const Status known = sources.find_user(draft.config.user);
  return known ? known : refuse("user", given.at("user"), known.error().message);
}

/// Every node of the list must be reachable at all.
Status check_nodes(const Draft& draft, const GivenSettings& given) {
  const std::size_t nodes = draft.config.cluster_nodes.size();
  if (nodes > kMostPeers) {
    return refuse("cluster-nodes", given.at("cluster-nodes"),
                  std::to_string(nodes) + " nodes other than this one (public-url) are too many; accepted: " +
                      std::to_string(kMostPeers) + " or fewer, each name of a node counted");
  }
  const std::size_t least = connections_for(nodes);
  if (nodes == 0 || draft.config.replication_connections >= least) return {};
  return refuse("workers", given.at("workers"),
                given.at("workers").text + " is too few for " + std::to_string(nodes) +
                    " other nodes (cluster-nodes); accepted: " + std::to_string(least) +
                    " or more, 2 for each of them and 2 for a repair");
}

Status complete(LoadedConfig& loaded, const ConfigSources& sources) {
  Draft draft;
  for (const auto& [name, given] : loaded.given) {
    const auto status = apply(draft, *settings::find_setting(name), given);
    if (!status) return status;
  }
  add_defaults(loaded.given, draft, sources.cores);
  if (auto status = check_auth(draft, loaded.given, sources); !status) return status;
  if (auto status = check_ports(draft, loaded.given); !status) return status;
  if (auto status = check_user(draft, loaded.given, sources); !status) return status;
  std::erase(draft.config.cluster_nodes, draft.config.public_url);
  if (auto status = check_nodes(draft, loaded.given); !status) return status;
  loaded.config = std::move(draft.config);
  return {};
}

}  // namespace

Result<LoadedConfig> load_config(std::span<const char* const> arguments, const ConfigSources& sources) {
  auto command_line = settings::parse_flags(arguments);
  if (!command_line) return tl::unexpected(command_line.error());
  LoadedConfig loaded{command_line->action, {}, {}};
  if (loaded.action == Action::kHelp || loaded.action == Action::kVersion) return loaded;

  loaded.given = std::move(command_line->given);
  add_environment(loaded.given, sources);
  if (auto status = add_file(loaded.given, sources); !status) return tl::unexpected(status.error());
  if (auto status = complete(loaded, sources); !status) return tl::unexpected(status.error());
  return loaded;
}

}  // namespace minivault
