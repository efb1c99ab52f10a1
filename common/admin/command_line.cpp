#include "common/admin/command_line.h"

#include <array>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "common/admin/commands.h"
#include "common/admin/guard.h"

namespace minivault::admin {
namespace {

constexpr std::string_view kAddressFlags =
    "\n  -auth KEY, -auth-file FILE   the node's key, where it has one"
    "\n  -timeout 30s                 how long the node may stand still\n";

constexpr std::size_t kAnyNumber = 0;

struct Command {
  std::string_view word;
  std::size_t operands;  ///< kAnyNumber: the command judges itself
  int (*run)(const Arguments&);
  std::string_view usage;
  std::string_view help;
  bool has_flags;
  std::span<const std::string_view> own_flags = {};  ///< as parse_arguments() wants them
};

constexpr std::array<std::string_view, 2> kStatusFlags = {"watch", "json"};
constexpr std::array<std::string_view, 3> kTopFlags = {"once", "json", "interval="};

constexpr std::array kCommands = {
    Command{"check", 1, run_check, "check DATA",
            "Verifies a data directory on which no node runs, and changes nothing: the log's header and "
            "every record that\n"
            "the base does not have yet, every record of the base (checksum, order, hashes of long keys), "
            "its counts, and\n"
            "that log and base belong together. Says what the next start would do.\n"
            "Exit status: 0 sound; 1 problems, each on a line `problem: ...`; 2 nothing was checked.\n",
            false},
    Command{"dump", 1, run_dump, "dump DATA|ADDRESS|FILE",
            "Writes every key to standard output, a line each, in the order of the keys:\n"
            "  {\"key\":\"k\",\"value\":\"v\",\"json\":true,\"version\":\"HLC@NODE\"}\n"
            "A key or value that is not UTF-8 is {\"base64\":\"...\"}. `json` marks a value that HTTP shows "
            "as JSON.\n"
            "From a data directory without a running node (as it would be after its next start), from a "
            "running node's\n"
            "ADDRESS, or from a backup FILE. Many keys with the same 495 first bytes are sorted in a file in "
            "TMPDIR (/tmp).\n",
            true},
    Command{"load", 1, run_load, "load ADDRESS <LINES",
            "Sets every key of the lines on standard input, which are as dump writes them, in a running "
            "node. Values get\n"
            "new versions. Other keys of the node stay as they are. A key is loaded when it is acknowledged: "
            "what was not\n"
            "acknowledged at an error is not counted. To fill a directory without a node: restore.\n",
            true},
    Command{"backup", 2, run_backup, "backup DATA|ADDRESS FILE",
            "Writes all of a node to FILE, as it was at one LSN: compressed, checksummed, while the node "
            "runs (ADDRESS) or\n"
            "without one (DATA). FILE appears, or is replaced, only when it is whole.\n",
            true},
    Command{"restore", 2, run_restore, "restore FILE DATA",
            "Makes a data directory of a backup, for a new node with an identity of its own. DATA must be "
            "empty or not\n"
            "there; it is used only once all of FILE was verified, and left as it was otherwise. Run it as "
            "the user that\n"
            "will run the node.\n",
            false},
    Command{"new-id", 1, run_new_id, "new-id DATA",
            "Makes another node of a data directory on which no node runs: what a copy of one needs before "
            "it may join the\n"
            "cluster of the other. Prints the new id.\n",
            false},
    Command{
        "cluster", kAnyNumber, run_cluster, "cluster ADDRESS | cluster forget ID ADDRESS",
        "Shows the cluster as the node at ADDRESS sees it, or makes it forget a member that will not come "
        "back: the member\n"
        "no longer counts for a majority, and is refused for good.\n",
        true},
    Command{"repair", 1, run_repair, "repair ADDRESS",
            "Asks a running node to compare itself with each of its peers now, and to exchange what differs. "
            "How far it is:\n"
            "`minivault cluster` and the node's log.\n",
            true},
    Command{
        "top", 1, run_top, "top ADDRESS",
        "Shows what a running node does now, again and again: requests and their times by operation, log, "
        "peers. From its\n"
        "/metrics; times are known to the power of two that they lie in.\n"
        "  -interval 1s                 between two looks, 200ms at least\n"
        "  -once                        one look\n"
        "  -json                        a JSON object a look, on a line\n",
        true, kTopFlags},
    Command{"status", kAnyNumber, run_status, "status ADDRESS...",
            "Shows every node of the cluster, found through those named: state, version, keys, nodes that a "
            "write can reach\n"
            "and needs (QUORUM), the peer furthest behind, and which roles were started again.\n"
            "  -watch   every two seconds\n"
            "  -json    with all that each node's health says\n"
            "Exit status: 0 all are healthy; 1 one is not, or does not answer; 7 none answers.\n",
            true, kStatusFlags},
    Command{
        "config", kAnyNumber, nullptr, "config ADDRESS | config [-name value]...",
        "Shows the settings of the running node at ADDRESS, or those that a node started with these flags "
        "here would\n"
        "have, and where each comes from: flag, environment, file or default. Keys are not shown.\n",
        true},
    Command{
        "reload", kAnyNumber, run_reload, "reload [DATA]",
        "Tells the node that runs on DATA (without it: on the directory that this machine's configuration "
        "names) to read\n"
        "its configuration anew, and waits until all its workers are replaced. Nobody is disconnected "
        "before served.\n"
        "Exit status: 0 reloaded; 1 not, the reason is said and all is as before; 4 not allowed; 7 no node "
        "runs.\n",
        false},
    Command{"drain", kAnyNumber, run_drain, "drain [DATA]",
            "Has the node that runs on DATA (see reload) take no more connections, finish what it received, "
            "write its last\n"
            "checkpoint and end; waits for that.\n"
            "Exit status: 0 it ended in order; 1 not yet, or not in order; 4 not allowed; 7 no node runs.\n",
            false},
};

const Command* find(std::string_view word) {
  for (const Command& command : kCommands) {
    if (command.word == word) return &command;
  }
  return nullptr;
}

std::string help_of(const Command& command) {
  std::string text = "usage: minivault " + std::string(command.usage) + "\n\n" + std::string(command.help);
  if (command.has_flags) text += kAddressFlags;
  return text;
}

int wrong_usage(const Command& command, const std::string& why) {
  std::fprintf(stderr, "minivault: %s\nusage: minivault %s\n", why.c_str(),
               std::string(command.usage).c_str());
  return kWrongUsage;
}

}  // namespace

int not_done(const std::string& why) {
  std::fprintf(stderr, "minivault: %s\n", why.c_str());
  return kNotDone;
}

bool is_command(std::string_view word) {
  return find(word) != nullptr;
}

int run_command(int argc, char** argv) {
  const Command& command = *find(argv[1]);
  const std::vector<std::string_view> words(argv + 2, argv + argc);
  const Result<Arguments> arguments = parse_arguments(words, command.own_flags);
  if (command.run == nullptr && !(arguments && arguments->help)) {
    return run_guarded([&] { return run_config(words); });
  }
  if (!arguments) return wrong_usage(command, arguments.error().message);
  if (arguments->help) {
    std::fputs(help_of(command).c_str(), stdout);
    return kDone;
  }
  if (command.operands != kAnyNumber && arguments->operands.size() != command.operands) {
    return wrong_usage(command, "want " + std::to_string(command.operands) + " argument" +
                                    (command.operands == 1 ? "" : "s") + ", not " +
                                    std::to_string(arguments->operands.size()));
  }
  return run_guarded([&] { return command.run(*arguments); });
}

}  // namespace minivault::admin
