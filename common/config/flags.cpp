#include "common/config/flags.h"

#include <algorithm>

#include "common/config/values.h"

namespace minivault::settings {
namespace {

struct Flag {
  std::string_view name;
  std::optional<std::string_view> value;  ///< behind `=`
};

/// nullopt for what is no flag: a word, `-`, or `--`.
std::optional<Flag> split_flag(std::string_view argument) {
  if (!argument.starts_with('-')) return std::nullopt;
  argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
  if (argument.empty()) return std::nullopt;
  const std::size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return Flag{argument, std::nullopt};
  return Flag{argument.substr(0, equals), argument.substr(equals + 1)};
}

tl::unexpected<Error> refuse(std::string message) {
  return fail(Code::kInvalidArgument, std::move(message));
}

/// `previous` is the flag before, if it was a switch: `-async false` is a mistake worth naming.
tl::unexpected<Error> refuse_word(std::string_view word, const Setting* previous) {
  std::string message = "unexpected argument " + quoted(word);
  if (previous != nullptr) {
    message.append(": the value of a switch needs an equals sign, -").append(previous->name).append("=false");
  } else {
    message += ": a flag begins with a dash; see minivault -help";
  }
  return refuse(std::move(message));
}

Result<Action> read_action(const ActionFlag& flag, std::optional<std::string_view> value) {
  const auto wanted = parse_switch(value.value_or("true"));
  if (!wanted) {
    return refuse(std::string(flag.name) + " (flag -" + std::string(flag.name) + "): " + quoted(*value) +
                  " is not accepted; accepted: true or false");
  }
  return *wanted ? flag.action : Action::kRun;
}

}  // namespace

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongestShown = 200;
  std::string shown(text.substr(0, kLongestShown));
  std::replace_if(
      shown.begin(), shown.end(),
      [](char byte) {
        return !is_plain_text({&byte, 1});
      },
      '?');
  return '"' + shown + (text.size() > kLongestShown ? "...\"" : "\"");
}

Result<CommandLine> parse_flags(std::span<const char* const> arguments) {
  CommandLine result;
  const Setting* previous_switch = nullptr;
  for (std::size_t next = 0; next < arguments.size(); ++next) {
    const auto flag = split_flag(arguments[next]);
    if (!flag) return refuse_word(arguments[next], previous_switch);
    previous_switch = nullptr;

    if (const ActionFlag* action_flag = find_action_flag(flag->name)) {
      const auto action = read_action(*action_flag, flag->value);
      if (!action) return tl::unexpected(action.error());
      if (*action != Action::kRun) result.action = *action;
      if (*action == Action::kHelp) return result;
      continue;
    }

    const Setting* setting = find_setting(flag->name);
    if (setting == nullptr)
      return refuse("unknown flag " + quoted(arguments[next]) + "; see minivault -help");
    Given given{"true", "flag -" + std::string(setting->name)};
    if (flag->value) {
      given.text = *flag->value;
    } else if (setting->kind == Kind::kSwitch) {
      previous_switch = setting;
    } else if (++next < arguments.size()) {
      given.text = arguments[next];
    } else {
      return refuse(std::string(setting->name) + " (" + given.origin +
                    "): the value is missing; accepted: " + std::string(setting->accepted));
    }
    result.given.insert_or_assign(std::string(setting->name), std::move(given));
  }
  return result;
}

}  // namespace minivault::settings
