#include "tests/node/load.h"

#include <algorithm>

#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr unsigned kKeys = 200;     // for each writer: few enough that every one is written often
constexpr unsigned kBatch = 64;     // requests in flight on a connection
constexpr std::size_t kShown = 40;  // bytes of a value in a message

/// Mostly small, now and then large enough to need several reads, or none at all.
std::size_t value_size(std::mt19937_64& random) {
  const std::uint64_t dice = random() % 1'000;
  if (dice < 2) return 200'000;
  if (dice < 50) return 10'000;
  return random() % 500;
}

std::string shown(const std::optional<std::string>& state) {
  return state ? '"' + state->substr(0, kShown) + '"' : "nothing";
}

}  // namespace

Load::Load(std::uint16_t port, std::uint64_t seed, unsigned writers) : port_(port) {
  for (unsigned i = 0; i < writers; ++i) {
    auto writer = std::make_unique<Writer>();
    writer->number = i;
    writer->random.seed(seed + i);
    writers_.push_back(std::move(writer));
  }
  for (const auto& writer : writers_)
    writer->thread = std::jthread([this, &writer = *writer] { run(writer); });
}

Load::~Load() {
  stopping_ = true;
}

Result<client::Connection> Load::connect() const {
  client::Options options;
  // Longer than anything may take: a connection that is given up while the node still works on its requests
  // could see an older write overtake a newer one, and this model would call that a loss.
  options.request_timeout = kPatience * 3;
  return client::Connection::open({"127.0.0.1", port_}, options);
}

void Load::run(Writer& writer) {
  while (!stopping_) {
    auto connection = connect();
    if (!connection) {
      std::this_thread::sleep_for(milliseconds(2));
      continue;
    }
    while (!stopping_ && connection->usable()) run_batch(writer, *connection);
    ++writer.reconnects;
  }
}

void Load::run_batch(Writer& writer, client::Connection& connection) {
  std::vector<Operation> batch;
  for (unsigned i = 0; i < kBatch; ++i) {
    Operation operation = next_operation(writer);
    Status queued;
    switch (operation.kind) {
      case Operation::Kind::kSet:
        queued = connection.queue_set(operation.key, *operation.write.state);
        break;
      case Operation::Kind::kDelete:
        queued = connection.queue_remove(operation.key);
        break;
      case Operation::Kind::kGet:
        queued = connection.queue_get(operation.key);
        break;
    }
    if (!queued) return violation("not queued: " + queued.error().message);
    batch.push_back(std::move(operation));
  }
  for (const Operation& operation : batch) take_answer(writer, operation, connection.receive());
}

Load::Operation Load::next_operation(Writer& writer) {
  Operation operation;
  operation.key = "writer" + std::to_string(writer.number) + "/" + std::to_string(writer.random() % kKeys);
  const std::uint64_t dice = writer.random() % 10;
  if (dice < 2) return operation;
  operation.kind = dice == 2 ? Operation::Kind::kDelete : Operation::Kind::kSet;
  operation.write.number = ++writer.writes;
  if (operation.kind == Operation::Kind::kSet) {
    const std::string filler(value_size(writer.random), static_cast<char>('a' + writer.writes % 26));
    operation.write.state = std::to_string(writer.writes) + '.' + filler;
  }
  writer.keys.try_emplace(operation.key, Expected{Write{}}).first->second.push_back(operation.write);
  return operation;
}

/// Answers come in the order of the requests, so an acknowledged write ends all that was sent before it.
void Load::take_answer(Writer& writer, const Operation& operation, const Result<std::string>& answer) {
  Expected& expected = writer.keys.try_emplace(operation.key, Expected{Write{}}).first->second;
  if (!answer && answer.error().code != Code::kNotFound) {
    ++writer.unanswered;
    const bool died =
        answer.error().code == Code::kUnavailable || answer.error().code == Code::kOutcomeUnknown;
    if (!died) violation(answer.error().message);
    return;
  }
  ++writer.acknowledged;
  if (operation.kind == Operation::Kind::kGet) return check(expected, operation.key, answer);
  while (expected.front().number < operation.write.number) expected.pop_front();
}

void Load::check(const Expected& expected, const std::string& key, const Result<std::string>& answer) {
  const State found = answer ? State(*answer) : std::nullopt;
  const auto allows = [&](const Write& write) { return write.state == found; };
  if (std::any_of(expected.begin(), expected.end(), allows)) return;
  violation(key + ": found " + shown(found) + ", acknowledged was " + shown(expected.front().state) +
            " and " + std::to_string(expected.size() - 1) + " were sent after it");
}

void Load::verify(Writer& writer) {
  auto connection = connect();
  if (!connection) return violation("not reachable at the end: " + connection.error().message);
  for (const auto& [key, expected] : writer.keys) {
    const auto answer = connection->get(key);
    if (!answer && answer.error().code != Code::kNotFound)
      return violation("no read: " + answer.error().message);
    check(expected, key, answer);
  }
  if (!connection->set("last", "write") || connection->get("last") != std::string("write"))
    violation("no last write");
}

void Load::await_answers(std::uint64_t count) {
  std::vector<std::uint64_t> goals;
  for (const auto& writer : writers_) goals.push_back(writer->acknowledged + count);
  eventually("every writer is answered", [&] {
    return std::equal(writers_.begin(), writers_.end(), goals.begin(),
                      [](const auto& writer, std::uint64_t goal) { return writer->acknowledged >= goal; });
  });
}

void Load::stop_and_verify() {
  stopping_ = true;
  for (const auto& writer : writers_) {
    if (writer->thread.joinable()) writer->thread.join();
  }
  for (const auto& writer : writers_) verify(*writer);
}

void Load::violation(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  violations_.push_back(what);
}

std::vector<std::string> Load::violations() const {
  const std::scoped_lock lock(mutex_);
  return violations_;
}

Load::Counts Load::counts() const {
  Counts sum;
  for (const auto& writer : writers_) {
    sum.acknowledged += writer->acknowledged;
    sum.unanswered += writer->unanswered;
    sum.reconnects += writer->reconnects;
  }
  return sum;
}

}  // namespace minivault::test
