#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "common/admin/commands.h"
#include "common/admin/rates.h"
#include "common/client/command_arguments.h"
#include "common/client/http_client.h"

namespace minivault::admin {
namespace {

using Clock = std::chrono::steady_clock;

struct Look {
  MetricPage page;
  Clock::time_point at;
};

Result<client::HttpAnswer> ask(const Arguments& arguments, const client::Address& address) {
  Result<client::HttpClient> node =
      client::HttpClient::connect(address, arguments.auth_key, arguments.time_out);
  if (!node) return tl::unexpected(node.error());
  node->queue({.method = "GET", .target = "/metrics"});
  return node->receive();
}

/// Over a connection of its own each time, so that it does not matter which worker lives; once more when one
/// died over the question.
Result<Look> look_at(const Arguments& arguments, const client::Address& address) {
  Result<client::HttpAnswer> answer = ask(arguments, address);
  if (!answer && answer.error().code == Code::kUnavailable) answer = ask(arguments, address);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status != 200) return fail(Code::kUnavailable, answer->error());
  Result<MetricPage> page = protocol::parse_exposition(answer->body);
  if (!page) return fail(Code::kCorrupt, "the node's metrics cannot be read: " + page.error().message);
  return Look{std::move(*page), Clock::now()};
}

Result<std::chrono::milliseconds> interval_of(const Arguments& arguments) {
  constexpr std::chrono::milliseconds kShortest{200};  // the page itself may be 100 ms old
  constexpr const char* kUsual = "1s";
  const auto given = arguments.own.find("interval");
  const auto interval = client::parse_duration(given == arguments.own.end() ? kUsual : given->second);
  if (!interval) return fail(Code::kInvalidArgument, "-interval: " + interval.error().message);
  if (*interval < kShortest) return fail(Code::kInvalidArgument, "-interval: 200ms at least");
  return *interval;
}

/// A terminal is written over, anything else gets one after the other.
void show(const Arguments& arguments, const NodeRates& rates) {
  const bool as_json = arguments.own.contains("json");
  const bool over = !as_json && !arguments.own.contains("once") && ::isatty(STDOUT_FILENO) != 0;
  const std::string text = as_json ? json_of(rates) + '\n' : text_of(rates);
  std::printf("%s%s", over ? "\033[H\033[2J" : "", text.c_str());
  std::fflush(stdout);
}

}  // namespace

int run_top(const Arguments& arguments) {
  const Result<client::Address> address = client::parse_address(arguments.operands[0]);
  const Result<std::chrono::milliseconds> interval = interval_of(arguments);
  for (const Error* wrong : {address ? nullptr : &address.error(), interval ? nullptr : &interval.error()}) {
    if (wrong == nullptr) continue;
    not_done(wrong->message);
    return kWrongUsage;
  }
  Result<Look> before = look_at(arguments, *address);
  while (before) {
    std::this_thread::sleep_for(*interval);
    Result<Look> after = look_at(arguments, *address);
    if (!after) return not_done(after.error().message);
    show(arguments, rates_between(before->page, after->page,
                                  std::chrono::duration<double>(after->at - before->at).count()));
    if (std::ferror(stdout) != 0) return kNotDone;
    if (arguments.own.contains("once")) return kDone;
    before = std::move(after);
  }
  return not_done(before.error().message);
}

}  // namespace minivault::admin
