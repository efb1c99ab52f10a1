// Goal: whatever a configuration file says is either refused in one line, or a configuration whose own
// description is a file that says the same. Method: a file of the input's bytes, then one of describe().

#include "common/config/loader.h"
#include "common/core/assert.h"
#include "tests/fuzz/fuzz.h"

namespace minivault::fuzz {
namespace {

Result<LoadedConfig> load(std::string_view content) {
  ConfigSources sources;
  sources.environment = [](const std::string&) { return std::nullopt; };
  sources.read_file = [&](const std::string&) { return Result<std::string>(content); };
  sources.cores = 2;
  sources.read_secret = [](const std::string&) { return Result<std::string>("secret"); };
  sources.find_user = [](const std::string&) { return Status(); };
  const char* const arguments[] = {"-config", "minivault.conf"};
  return load_config(arguments, sources);
}

}  // namespace

void check(std::string_view input) {
  const Result<LoadedConfig> loaded = load(input);
  if (!loaded) {
    MV_ASSERT(!loaded.error().message.empty());
    return;
  }
  const std::string description = describe(*loaded);
  if (!loaded->config.auth_key.empty()) return;  // which it does not show
  const Result<LoadedConfig> again = load(description);
  MV_ASSERT(again);
  MV_ASSERT(again->config.data_directory == loaded->config.data_directory);
  MV_ASSERT(again->config.log_bytes == loaded->config.log_bytes);
  MV_ASSERT(again->config.cluster_nodes == loaded->config.cluster_nodes);
}

std::vector<std::string> seeds() {
  return {"# a comment\ndata = /var/lib/minivault # here\nport = 3000\nlog = 512MB\n",
          "sync = interval:100\nprocs = 2\nmax-value = 1KB\ncache = 64\nslowlog = 10ms\n",
          "cluster-nodes = a:1,b:2\npublic-url = a:1\nwrite-timeout = 5s\nlog-format = json\n",
          describe(*load(""))};
}

}  // namespace minivault::fuzz
