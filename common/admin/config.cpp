// `minivault config`: of a running node, or of what a node would be started with.

#include <cstdio>
#include <string>
#include <vector>

#include "common/admin/commands.h"
#include "common/admin/node_health.h"
#include "common/client/http_client.h"
#include "common/config/loader.h"

namespace minivault::admin {
namespace {

constexpr int kHttpOk = 200;

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return kDone;
}

int show_of_node(const Arguments& arguments) {
  const Result<client::Address> address = client::parse_address(arguments.operands.front());
  if (!address) return not_done(address.error().message);
  Result<client::HttpClient> node =
      client::HttpClient::connect(*address, arguments.auth_key, arguments.time_out);
  if (!node) return not_done(node.error().message);
  node->queue({.method = "GET", .target = "/_/config"});
  const Result<client::HttpAnswer> answer = node->receive();
  if (!answer) return not_done(answer.error().message);
  return answer->status == kHttpOk ? print(printable(answer->body, Lines::kMany)) : not_done(answer->error());
}

int show_of_flags(std::span<const std::string_view> words) {
  const std::vector<std::string> copies(words.begin(), words.end());  // for their ends
  std::vector<const char*> flags;
  for (const std::string& word : copies) flags.push_back(word.c_str());
  const Result<LoadedConfig> loaded = load_config(flags);
  if (loaded) return print(describe(*loaded));
  not_done(loaded.error().message);
  return kWrongUsage;
}

}  // namespace

int run_config(std::span<const std::string_view> words) {
  // One operand, and no flag but those of a client: an address. A node's flags have no operands.
  const Result<Arguments> arguments = parse_arguments(words);
  if (arguments && arguments->operands.size() == 1) return show_of_node(*arguments);
  return show_of_flags(words);
}

}  // namespace minivault::admin
