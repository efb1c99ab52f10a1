#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <deque>
#include <iostream>
#include <limits>
#include <thread>

#include "common/admin/commands.h"
#include "common/admin/dump_line.h"
#include "common/admin/line_reader.h"
#include "common/admin/node_health.h"
#include "common/admin/progress.h"
#include "common/client/http_client.h"
#include "common/core/key_text.h"
#include "common/protocol/http_response.h"

namespace minivault::admin {
namespace {

constexpr std::size_t kMostInFlight = 1'024;
constexpr std::uint64_t kMostBytesInFlight = 8U << 20;

/// Sets keys in a node, many at a time. Over HTTP, because only there a value can be marked as JSON, and a
/// refusal says why.
class Loader {
 public:
  explicit Loader(client::HttpClient client) : client_(std::move(client)) {}

  Status add(DumpLine line) {
    const std::uint64_t bytes = line.key.size() + line.value.size();
    while (!in_flight_.empty() &&
           (in_flight_.size() >= kMostInFlight || bytes_ + bytes > kMostBytesInFlight)) {
      if (Status settled = settle_one(); !settled) return settled;
    }
    bytes_ += bytes;
    send(line);
    in_flight_.push_back(std::move(line));
    return {};
  }
  Status finish() {
    while (!in_flight_.empty()) {
      if (Status settled = settle_one(); !settled) return settled;
    }
    return {};
  }
  [[nodiscard]] std::uint64_t loaded() const { return loaded_; }

 private:
  void send(const DumpLine& line) {
    const std::string target = client::target_of(line.key);
    if (!line.is_json) {
      return client_.queue({"PUT", target, protocol::kBytesType, line.value});
    }
    client_.queue({"PUT", target, protocol::kJsonType, "{\"value\":" + line.value + "}"});
  }

  Status settle_one() {
    const Result<client::HttpAnswer> answer = client_.receive();
    if (!answer) return tl::unexpected(answer.error());
    DumpLine line = std::move(in_flight_.front());
    in_flight_.pop_front();
    if (answer->status ==
        429) {  // as slow as the node wants it: keys are loaded once each, so order does not matter
      std::this_thread::sleep_for(std::chrono::seconds(std::max(answer->retry_after_seconds, 1U)));
      send(line);
      in_flight_.push_back(std::move(line));
      return {};
    }
    if (answer->status != 200)
      return fail(Code::kUnavailable, "key " + quoted_key(line.key) + ": " + answer->error());
    bytes_ -= line.key.size() + line.value.size();
    ++loaded_;
    return {};
  }

  client::HttpClient client_;
  std::deque<DumpLine> in_flight_;
  std::uint64_t bytes_ = 0;
  std::uint64_t loaded_ = 0;
};

/// Of standard input, where it is a file.
std::uint64_t input_bytes() {
  struct stat facts {};
  if (::fstat(STDIN_FILENO, &facts) != 0 || !S_ISREG(facts.st_mode)) return 0;
  return static_cast<std::uint64_t>(facts.st_size);
}

/// What was right before it is loaded all the same.
Status refuse_line(Loader& loader, std::uint64_t number, const Error& error) {
  if (Status rest = loader.finish(); !rest) return rest;
  return fail(error.code, "line " + std::to_string(number) + ": " + error.message);
}

/// No record of this node is a longer line. One that does not tell takes what its protocol can tell.
std::uint64_t longest_line(const Arguments& arguments) {
  std::uint64_t largest = 0;
  if (const auto health = health_at(arguments, arguments.operands[0]); health && health->HasMember("log"))
    largest = number_of((*health)["log"], "largest_value");
  return longest_dump_line(largest != 0 ? largest : std::numeric_limits<std::uint32_t>::max());
}

Status load_lines(Loader& loader, std::uint64_t longest) {
  Progress progress("load", "bytes", input_bytes());
  LineReader lines(std::cin, longest);
  std::string text;
  std::uint64_t bytes = 0;
  for (std::uint64_t number = 1;; ++number) {
    const Result<bool> is_there = lines.next(text);
    if (!is_there) return refuse_line(loader, number, is_there.error());
    if (!*is_there) return loader.finish();
    bytes += text.size() + 1;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    Result<DumpLine> line = parse_dump_line(text);
    if (!line) return refuse_line(loader, number, line.error());
    if (Status added = loader.add(std::move(*line)); !added) return added;
    progress.update(bytes);
  }
}

}  // namespace

int run_load(const Arguments& arguments) {
  const Result<client::Address> address = client::parse_address(arguments.operands[0]);
  if (!address) {
    return not_done(address.error().message +
                    " (load fills a running node; for a directory there is restore)");
  }
  Result<client::HttpClient> node =
      client::HttpClient::connect(*address, arguments.auth_key, arguments.time_out);
  if (!node) return not_done(node.error().message);
  std::ios::sync_with_stdio(false);
  Loader loader(std::move(*node));
  const Status loaded = load_lines(loader, longest_line(arguments));
  std::fprintf(stderr, "%" PRIu64 " keys loaded\n", loader.loaded());
  return loaded ? kDone : not_done(loaded.error().message);
}

}  // namespace minivault::admin
