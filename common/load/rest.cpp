#include "common/load/rest.h"

#include <rapidjson/document.h>

#include <optional>
#include <string>
#include <thread>

#include "common/client/connection.h"
#include "common/load/cpu_time.h"

namespace minivault::load {
namespace {

using client::Connection;
using client::Deadline;
using std::chrono::milliseconds;

/// A node makes its health ten times a second at most: the next look is at a new one.
constexpr milliseconds kLook{150};
constexpr milliseconds kCpuLook{500};
/// The kernel counts in steps of 10 ms.
constexpr double kRestingPart = 0.05;

struct LogMarks {
  std::uint64_t tail = 0;
  std::uint64_t checkpoint = 0;
};

std::optional<std::uint64_t> number_in(const rapidjson::Value& object, const char* name) {
  const auto member = object.FindMember(name);
  if (member == object.MemberEnd() || !member->value.IsUint64()) return std::nullopt;
  return member->value.GetUint64();
}

/// nullopt: it is no node, or says nothing of its log.
std::optional<LogMarks> marks_of(Connection& node) {
  const auto health = node.health();
  if (!health) return {};
  rapidjson::Document document;
  document.Parse(health->data(), health->size());
  if (document.HasParseError() || !document.IsObject()) return {};
  const rapidjson::Value& said = document;
  const auto log = said.FindMember("log");
  if (log == said.MemberEnd() || !log->value.IsObject()) return {};
  const auto tail = number_in(log->value, "tail");
  const auto checkpoint = number_in(log->value, "checkpoint");
  if (!tail || !checkpoint) return {};
  return LogMarks{*tail, *checkpoint};
}

bool await_checkpoint(const Options& options, const client::Address& server, const Deadline& deadline,
                      const std::function<bool()>& go_on) {
  client::Options how;
  how.auth_key = options.auth_key;
  auto node = Connection::open(server, how);
  if (!node || !marks_of(*node)) return true;
  std::optional<std::uint64_t> wanted;
  for (;;) {
    std::this_thread::sleep_for(kLook);
    const auto marks = marks_of(*node);
    if (!marks) return true;
    if (!wanted) wanted = marks->tail;  // what others write meanwhile is not the fill's
    if (marks->checkpoint >= *wanted) return true;
    if (deadline.passed() || !go_on()) return false;
  }
}

bool await_idle(std::span<const pid_t> pids, const Deadline& deadline, const std::function<bool()>& go_on) {
  auto before = read_processes(pids);
  for (;;) {
    std::this_thread::sleep_for(kCpuLook);
    auto after = read_processes(pids);
    if (!before || !after) return true;  // whoever is gone does nothing; the measurement will say so
    double used_s = 0;
    for (const ProcessCpu& process : used_between(*before, *after)) used_s += process.time.total_s();
    if (used_s <= kRestingPart * std::chrono::duration<double>(kCpuLook).count()) return true;
    if (deadline.passed() || !go_on()) return false;
    before = std::move(after);
  }
}

}  // namespace

bool await_rest(const Options& options, std::span<const pid_t> pids, milliseconds limit,
                const std::function<bool()>& go_on) {
  const Deadline deadline(limit);
  if (options.protocol == Protocol::kBinary || options.protocol == Protocol::kHttp) {
    for (const client::Address& server : options.servers) {
      if (!await_checkpoint(options, server, deadline, go_on)) return false;
    }
  }
  return pids.empty() || await_idle(pids, deadline, go_on);
}

}  // namespace minivault::load
