#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/config/config.h"

/// The table of settings: flags, environment variables, file names, checks and help all come from its rows.
namespace minivault::settings {

/// A configuration being put together.
struct Draft {
  Config config;
  std::string auth_file;  ///< read once all else is known; the key goes into the configuration
};

enum class Kind { kValue, kSwitch };

/// Where a setting may stand. What must be decided anew at each start, or before the file, is not for the
/// file.
enum class Reach { kEverywhere, kNotInFile };

struct Setting {
  std::string_view name;        ///< the flag and, in the file, the setting
  std::string_view value_name;  ///< how help calls the value; empty for a switch
  std::string_view default_text;
  std::string_view help;
  std::string_view accepted;  ///< ends the sentence "accepted: ..."
  /// Puts the value into the draft; false where it is not accepted, the draft is then untouched.
  bool (*apply)(Draft& draft, std::string_view text);
  Kind kind = Kind::kValue;
  Reach reach = Reach::kEverywhere;
  bool is_secret = false;             ///< its value is never shown
  std::string_view environment = {};  ///< where its variable is not named by the rule
};

/// What a command line can ask for instead of a node.
enum class Action { kRun, kHelp, kVersion, kCheckConfig };

struct ActionFlag {
  std::string_view name;
  Action action;
  std::string_view help;
};

[[nodiscard]] std::span<const Setting> all_settings();
[[nodiscard]] std::span<const ActionFlag> all_action_flags();

/// nullptr where there is none of that name.
[[nodiscard]] const Setting* find_setting(std::string_view name);
[[nodiscard]] const ActionFlag* find_action_flag(std::string_view name);

/// `MINIVAULT_WRITE_TIMEOUT` for write-timeout; CLUSTER_NODES for cluster-nodes.
[[nodiscard]] std::string environment_name(const Setting& setting);

/// What `minivault -help` prints.
[[nodiscard]] std::string help_text();

}  // namespace minivault::settings
