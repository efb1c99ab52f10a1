#include "common/client/command_arguments.h"

#include <array>
#include <vector>

#include "common/config/values.h"

namespace minivault::client {
namespace {

using std::chrono::milliseconds;
using Action = Command::Action;

struct Word {
  std::string_view name;
  Action action;
  std::size_t operands_min;
  std::size_t operands_max;
  std::string_view operands;
};

constexpr std::array kWords = {
    Word{"get", Action::kGet, 2, 2, "ADDRESS KEY"},
    Word{"set", Action::kSet, 2, 3, "ADDRESS KEY [VALUE]"},
    Word{"del", Action::kDelete, 2, 2, "ADDRESS KEY"},
    Word{"health", Action::kHealth, 1, 1, "ADDRESS"},
};

tl::unexpected<Error> wrong(std::string message) {
  return fail(Code::kInvalidArgument, std::move(message));
}

Status apply_flag(Command& command, std::string_view name, std::string_view value) {
  if (name == "auth") {
    command.auth_key = value;
  } else if (name == "auth-file") {
    command.auth_file = value;
  } else if (name == "consistency") {
    if (value != "local" && value != "quorum") return wrong("-consistency: want local or quorum");
    command.of_quorum = value == "quorum";
  } else if (name == "timeout") {
    const auto time_out = parse_duration(value);
    if (!time_out) return wrong("-timeout: " + time_out.error().message);
    command.time_out = *time_out;
  } else {
    command.value_file = value;
  }
  return {};
}

bool known_flag(std::string_view name) {
  return name == "auth" || name == "auth-file" || name == "timeout" || name == "file" ||
         name == "consistency";
}

/// Takes the flags out of `arguments`, sets them, and returns the rest.
Result<std::vector<std::string_view>> take_flags(Command& command,
                                                 std::span<const std::string_view> arguments) {
  std::vector<std::string_view> operands;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view text = arguments[i];
    if (text == "--") {
      operands.insert(operands.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                      arguments.end());
      break;
    }
    if (text.size() < 2 || text.front() != '-') {
      operands.push_back(text);
      continue;
    }
    text.remove_prefix(text.starts_with("--") ? 2 : 1);
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (!known_flag(name))
      return wrong("unknown flag " + std::string(arguments[i]) +
                   " (a value that begins with a dash goes after --)");
    if (equals == std::string_view::npos && ++i == arguments.size())
      return wrong(std::string("-").append(name).append(" needs a value"));
    const std::string_view value = equals == std::string_view::npos ? arguments[i] : text.substr(equals + 1);
    if (const Status status = apply_flag(command, name, value); !status)
      return tl::unexpected(status.error());
  }
  return operands;
}

Status check(const Command& command) {
  if (command.action != Action::kHealth && command.key.empty()) return wrong("the key is empty");
  if (command.value_file && command.action != Action::kSet) return wrong("-file is for set");
  if (command.of_quorum && command.action != Action::kGet) return wrong("-consistency is for get");
  if (command.value_file && command.value) return wrong("a value and -file: want one of them");
  if (command.auth_file && !command.auth_key.empty()) return wrong("-auth and -auth-file: want one of them");
  return {};
}

}  // namespace

Result<Command> parse_command(std::span<const std::string_view> arguments) {
  const Word* word = nullptr;
  for (const Word& candidate : kWords) {
    if (!arguments.empty() && arguments.front() == candidate.name) word = &candidate;
  }
  if (word == nullptr) return wrong("want one of get, set, del, health");

  Command command;
  command.action = word->action;
  const auto operands = take_flags(command, arguments.subspan(1));
  if (!operands) return tl::unexpected(operands.error());
  if (operands->size() < word->operands_min || operands->size() > word->operands_max) {
    return wrong("want " + std::string(word->name) + ' ' + std::string(word->operands));
  }
  const auto address = parse_address(operands->front());
  if (!address) return tl::unexpected(address.error());
  command.address = *address;
  if (operands->size() > 1) command.key = (*operands)[1];
  if (operands->size() > 2) command.value = std::string((*operands)[2]);
  if (const Status status = check(command); !status) return tl::unexpected(status.error());
  return command;
}

Result<milliseconds> parse_duration(std::string_view text) {
  const auto duration = settings::parse_duration(text);
  if (duration && duration->count() > 0) return *duration;
  return wrong("\"" + std::string(text) + "\" is not a duration like 250ms or 5s");
}

}  // namespace minivault::client
