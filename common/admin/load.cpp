#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <deque>
#include <iostream>
#include <thread>

#include "common/admin/commands.h"
#include "common/admin/dump_line.h"
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

Status load_lines(Loader& loader) {
  Progress progress("load", "bytes", input_bytes());
  std::string text;
  std::uint64_t bytes = 0;
  for (std::uint64_t number = 1; std::getline(std::cin, text); ++number) {
    bytes += text.size() + 1;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    Result<DumpLine> line = parse_dump_line(text);
    // What was right before it is loaded all the same.
    if (!line) {
      Status rest = loader.finish();
      return rest ? fail(line.error().code, "line " + std::to_string(number) + ": " + line.error().message)
                  : rest;
    }
    if (Status added = loader.add(std::move(*line)); !added) return added;
    progress.update(bytes);
  }
  if (std::cin.bad()) return fail(Code::kIo, "standard input cannot be read");
  return loader.finish();
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
  const Status loaded = load_lines(loader);
  std::fprintf(stderr, "%" PRIu64 " keys loaded\n", loader.loaded());
  return loaded ? kDone : not_done(loaded.error().message);
}

}  // namespace minivault::admin
