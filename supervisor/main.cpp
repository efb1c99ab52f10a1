// The one binary: a node (`minivault [flags]`), a client of one (`minivault get|set|del|health ...`), or a
// measurement of one (`minivault bench ...`).
// Here, and only here, the parts are put together.

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "common/admin/command_line.h"
#include "common/client/command_line.h"
#include "common/config/loader.h"
#include "common/load/bench.h"
#include "common/process/exit_code.h"
#include "common/process/title.h"
#include "supervisor/supervisor.h"

namespace minivault {
namespace {

int complain(const std::string& reason) {
  std::fprintf(stderr, "minivault: %s\n", reason.c_str());
  return kExitUsage;
}

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? kExitOk : kExitFailure;
}

Config with_description(const LoadedConfig& loaded) {
  Config config = loaded.config;
  config.description = describe(loaded);
  return config;
}

int run_daemon(int argc, char** argv) {
  // The title is written over argv, so the command line is copied: a reload reads it again.
  const std::vector<std::string> words(argv + 1, argv + argc);
  std::vector<const char*> arguments;
  arguments.reserve(words.size());
  for (const std::string& word : words) arguments.push_back(word.c_str());

  const Result<LoadedConfig> loaded = load_config(arguments);
  if (!loaded) return complain(loaded.error().message);
  switch (loaded->action) {
    case settings::Action::kHelp:
      return print(settings::help_text());
    case settings::Action::kVersion:
      return print("minivault " MINIVAULT_VERSION "\n");
    case settings::Action::kCheckConfig:
      return print(describe(*loaded));
    case settings::Action::kRun:
      break;
  }

  ProcessTitle title(argc, argv);
  return supervisor::run_node(with_description(*loaded), title, [&arguments]() -> Result<Config> {
    return load_config(arguments).map(with_description);
  });
}

}  // namespace
}  // namespace minivault

int main(int argc, char** argv) {
  try {
    if (argc > 1 && minivault::client::is_command(argv[1])) return minivault::client::run_command(argc, argv);
    if (argc > 1 && minivault::admin::is_command(argv[1])) return minivault::admin::run_command(argc, argv);
    if (argc > 1 && std::string_view(argv[1]) == "bench") return minivault::load::run_bench(argc, argv);
    return minivault::run_daemon(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "minivault: %s\n", error.what());
    return minivault::kExitFailure;
  }
}
