#include "common/load/fleet.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "common/core/clock.h"

namespace minivault::load {
namespace {

using client::Deadline;
using client::Socket;
using std::chrono::milliseconds;

constexpr milliseconds kConnectTimeOut{10'000};
constexpr std::uint64_t kFillPipeline = 64;
constexpr std::uint64_t kFillBytes = 1U << 20U;  ///< under way on a connection, unless one value is larger

/// Sends the greeting and waits until it is accepted.
Status greet(const Socket& socket, Codec& codec, const client::Address& server) {
  const std::string greeting = codec.greeting();
  const Deadline deadline(kConnectTimeOut);
  std::string_view unsent = greeting;
  std::string received;
  while (!greeting.empty()) {
    if (const Status ready = socket.wait(!unsent.empty(), deadline); !ready) return ready;
    const auto sent = socket.write_some(unsent);
    if (!sent) return tl::unexpected(sent.error());
    unsent.remove_prefix(*sent);
    std::array<char, 512> room{};
    const auto got = socket.read_some(room);
    if (!got) return tl::unexpected(got.error());
    received.append(room.data(), *got);
    const Answer answer = codec.parse(received);
    if (answer.kind == Answer::Kind::kDone) return {};
    if (answer.kind == Answer::Kind::kBad) {
      return fail(Code::kCorrupt, server.text() + ": its answer is not one of this protocol");
    }
    if (answer.kind != Answer::Kind::kUnknown) {
      return fail(Code::kUnauthorized, server.text() + ": the key was refused");
    }
  }
  return {};
}

Result<Socket> connect(const client::Address& server, Codec& codec) {
  auto socket = Socket::connect(server, Deadline(kConnectTimeOut));
  if (!socket) return socket;
  if (const Status greeted = greet(*socket, codec, server); !greeted) return tl::unexpected(greeted.error());
  return socket;
}

Result<std::vector<Socket>> connect_many(const Options& options, std::uint64_t count, Codec& codec) {
  std::vector<Socket> sockets;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto socket = connect(options.servers[i % options.servers.size()], codec);
    if (!socket) return tl::unexpected(socket.error());
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

/// Part `i` of `whole`, shared out as evenly as it goes.
std::uint64_t share(std::uint64_t whole, std::uint64_t parts, std::uint64_t i) {
  return whole / parts + (i < whole % parts ? 1 : 0);
}

}  // namespace

template <typename Visit>
void Fleet::for_each_lane(Visit visit) {
  for (std::size_t connection = 0; connection < connections_; ++connection) {
    visit(runners_[connection % runners_.size()].lanes()[connection / runners_.size()], connection);
  }
}

Result<Fleet> Fleet::open(const Options& options) {
  Fleet fleet;
  auto codec = make_codec(options);
  if (!codec) return tl::unexpected(codec.error());
  fleet.codec_ = std::move(*codec);
  fleet.connections_ = options.connections;

  auto busy = connect_many(options, options.connections, *fleet.codec_);
  if (!busy) return tl::unexpected(busy.error());
  auto idle = connect_many(options, options.idle, *fleet.codec_);
  if (!idle) return tl::unexpected(idle.error());
  fleet.idle_ = std::move(*idle);

  std::vector<std::vector<Lane>> lanes(options.threads);
  for (std::size_t i = 0; i < busy->size(); ++i) lanes[i % lanes.size()].emplace_back(std::move((*busy)[i]));
  for (std::vector<Lane>& part : lanes) {
    auto own_codec = make_codec(options);
    if (!own_codec) return tl::unexpected(own_codec.error());
    auto runner = Runner::create(std::move(*own_codec), std::move(part));
    if (!runner) return tl::unexpected(runner.error());
    fleet.runners_.push_back(std::move(*runner));
  }
  return fleet;
}

Tally Fleet::fill(const Options& options, const Values& values, const Watcher& watcher) {
  Task task;
  task.pipeline = std::clamp<std::uint64_t>(kFillBytes / options.value_bytes, 1, kFillPipeline);
  Tally sum;
  bool go_on = true;
  for (std::uint64_t key = 0; key < options.keys && go_on && sum.broken == 0; key += tape_.size()) {
    tape_ = Tape::fill(*codec_, values, key, options.keys);
    for_each_lane([this](Lane& lane, std::size_t connection) {
      const std::uint64_t begin = tape_.size() * connection / connections_;
      lane.play(tape_, begin, tape_.size() * (connection + 1) / connections_ - begin);
    });
    sum.merge(run(std::vector<Task>(runners_.size(), task),
                  [&](std::uint64_t answered) { return go_on = watcher(sum.answered + answered); }));
  }
  return sum;
}

void Fleet::prepare(const Options& options, const Values& values) {
  Tape::Mix mix{options.distribution, options.keys, static_cast<unsigned>(options.get_percent), options.seed};
  if (options.requests > 0) mix.requests = options.requests;
  tape_ = Tape::random(*codec_, values, mix, options.pipeline);
}

Tally Fleet::play(const Options& options, const Values& values, const Watcher& watcher) {
  const std::size_t batch = options.pipeline + (options.wait > 0 ? 1 : 0);
  const std::size_t batches = tape_.size() / batch;
  for_each_lane([&](Lane& lane, std::size_t connection) {
    lane.play(tape_, batches * connection / connections_ * batch, Task::kNoLimit);
  });

  const std::uint64_t start_ns = monotonic_ns();
  std::uint64_t deadline_ns = start_ns + static_cast<std::uint64_t>(options.duration.count()) * 1'000'000;
  if (options.requests > 0) deadline_ns = Task::kNoLimit;
  std::optional<Schedule> schedule;
  if (options.rate > 0) {
    schedule.emplace(start_ns, static_cast<double>(options.rate), connections_);
    if (options.requests > 0) deadline_ns = schedule->due_ns(options.requests);  // of the first too many
  }
  std::vector<Task> tasks(runners_.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].pipeline = batch;
    if (options.verify) tasks[i].verify = &values;
    if (options.requests > 0) tasks[i].requests = share(options.requests, tasks.size(), i);
    tasks[i].deadline_ns = deadline_ns;
    if (schedule) tasks[i].pacer.emplace(*schedule, i, tasks.size(), connections_);
  }
  return run(tasks, watcher);
}

Tally Fleet::run(std::span<const Task> tasks, const Watcher& watcher) {
  constexpr milliseconds kLook{100};
  Watch watch;
  std::vector<Tally> tallies(tasks.size());
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = tasks.size();  // guarded by mutex

  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    threads.emplace_back([&, i] {
      tallies[i] = runners_[i].run(tasks[i], watch);
      const std::lock_guard lock(mutex);
      --running;
      ended.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, kLook, [&] { return running == 0; })) {
    if (!watcher(watch.answered.load(std::memory_order_relaxed)))
      watch.stop.store(true, std::memory_order_relaxed);
  }
  lock.unlock();
  threads.clear();  // waits for their ends

  Tally sum;
  for (const Tally& tally : tallies) sum.merge(tally);
  return sum;
}

}  // namespace minivault::load
