#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "common/config/config.h"
#include "common/config/flags.h"

namespace minivault {

/// What the command line asked for and the node's configuration, complete and valid.
/// With kHelp and kVersion nothing else was looked at: `config` and `given` then say nothing.
struct LoadedConfig {
  settings::Action action = settings::Action::kRun;
  Config config;
  /// For every setting the text it was read from, and where that stood. Holds the key: show it by describe().
  settings::GivenSettings given;
};

/// The loader's whole view of the world outside, so that a test can be that world.
struct ConfigSources {
  /// An environment variable; nullopt where it is not set.
  std::function<std::optional<std::string>(const std::string& name)> environment;
  /// A file's content. kNotFound where there is none of that name, kIo for all else.
  std::function<Result<std::string>(const std::string& path)> read_file;
  unsigned cores = 1;
  /// The same for a file with a secret in it. kUnauthorized where everybody may read it.
  std::function<Result<std::string>(const std::string& path)> read_secret = {};
  /// Ok where this machine has a user of that name. kNotFound, kIo.
  std::function<Status(const std::string& name)> find_user = {};

  /// The process's environment, the file system (1 MB a file at most), the cores this process may use.
  [[nodiscard]] static ConfigSources of_system();
};

inline constexpr const char* kDefaultConfigFile = "/etc/minivault/minivault.conf";

/// Puts the configuration together: flag, else environment, else file, else default. `arguments` is argv
/// without the program's name; call it again with the same for a reload. Reads files, changes nothing.
/// Errors: kInvalidArgument with one line that names the setting, where it stood and what is accepted; the
/// caller prints it and exits with status 2.
[[nodiscard]] Result<LoadedConfig> load_config(std::span<const char* const> arguments,
                                               const ConfigSources& sources = ConfigSources::of_system());

/// What -check-config prints: every setting as the file would have it, its origin as a comment, no key.
[[nodiscard]] std::string describe(const LoadedConfig& loaded);

}  // namespace minivault
