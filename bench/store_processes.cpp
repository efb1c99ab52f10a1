#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "bench/store_bench.h"
#include "bench/store_lmdb.h"
#include "bench/store_meter.h"
#include "bench/store_minivault.h"
#include "common/core/mapping.h"

namespace minivault::bench {
namespace {

constexpr unsigned kMostProcesses = 8;
constexpr std::size_t kGetsATurn = 64;
constexpr std::size_t kFillBatch = 1'000;

/// Processes that start their work at the same instant and leave behind what it took.
class Crew {
 public:
  Crew() {
    void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    memory_ = Mapping(memory, sizeof(Board));
    board_ = new (memory) Board{};  // placement: the mapping owns the bytes
  }

  /// In a member: waits for the others, works, and leaves the cost.
  template <typename Work>
  void work(unsigned member, Work&& work) {
    board_->ready.fetch_add(1);
    while (!board_->go.load()) std::this_thread::yield();
    const Cost began = Cost::now(0);
    work();
    board_->began[member] = began;
    board_->ended[member] = Cost::now(0);
  }
  void start(unsigned members) {
    while (board_->ready.load() < members) std::this_thread::yield();
    board_->go.store(true);
  }
  /// Wall: from the first start to the last end. CPU: of all.
  [[nodiscard]] Cost cost(unsigned members) const {
    Cost first = board_->began[0];
    Cost last = board_->ended[0];
    Cost sum;
    for (unsigned i = 0; i < members; ++i) {
      first.wall_ns = std::min(first.wall_ns, board_->began[i].wall_ns);
      last.wall_ns = std::max(last.wall_ns, board_->ended[i].wall_ns);
      sum += board_->ended[i] - board_->began[i];
    }
    sum.wall_ns = last.wall_ns - first.wall_ns;
    return sum;
  }

 private:
  struct Board {
    std::atomic<unsigned> ready{0};
    std::atomic<bool> go{false};
    Cost began[kMostProcesses];
    Cost ended[kMostProcesses];
  };
  Mapping memory_;
  Board* board_ = nullptr;
};

/// One operation mix that a member repeats.
struct Task {
  std::vector<Key> order;
  std::string value;  ///< empty: GETs
  std::size_t batch;

  template <typename Engine>
  void run(Engine& engine, unsigned member) const {
    const std::size_t begin =
        order.size() / kMostProcesses * member;  // not all on the same key at the same time
    for (std::size_t done = 0; done < order.size(); done += batch) {
      const auto keys = std::span(order).subspan((begin + done) % order.size(), batch);
      if (value.empty()) {
        engine.begin();
        for (const Key& key : keys) benchmark::DoNotOptimize(engine.get(key.view()));
        engine.end();
      } else {
        engine.put(keys, value);
      }
    }
  }
};

void crew_once(Minivault& engine, const Task& task, bool durable, unsigned members, Crew& crew) {
  std::vector<pid_t> pids;
  for (unsigned i = 0; i < members; ++i) {
    const unsigned slot = Minivault::kSlot + i;
    pids.push_back(engine.engine().spawn(slot, [&, i, slot](store::Store& store) {
      Client client(std::move(store), slot, durable);
      crew.work(i, [&] { task.run(client, i); });
      return 0;
    }));
  }
  crew.start(members);
  for (const pid_t pid : pids) engine.engine().reap(pid);
}

void crew_once(Lmdb& engine, const Task& task, bool, unsigned members, Crew& crew) {
  std::vector<pid_t> pids;
  for (unsigned i = 0; i < members; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      engine.open();
      crew.work(i, [&] { task.run(engine, i); });
      ::_exit(0);
    }
    pids.push_back(pid);
  }
  crew.start(members);
  for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
}

template <typename Engine>
void measure(Bench& bench, Engine& engine, const std::string& row, const Task& task, bool durable,
             unsigned members) {
  bench.once(row, Engine::kName, [&, durable, members](benchmark::State& state) {
    Meter meter(0);
    for (auto _ : state) {
      Crew crew;
      const double before = process_cpu_ns(engine.process());
      crew_once(engine, task, durable, members, crew);
      engine.settle();
      Cost cost = crew.cost(members);
      cost.all_cpu_ns = cost.cpu_ns + process_cpu_ns(engine.process()) - before;
      meter.add(cost, task.order.size() * members);
      state.SetIterationTime(meter.last_seconds());
    }
    meter.report(state);
  });
}

std::string of_processes(unsigned members) {
  return std::to_string(members) + (members == 1 ? " process" : " processes");
}

template <typename Engine>
void contend(Bench& bench) {
  constexpr std::uint64_t kHotKeys = 1'000;
  constexpr std::uint64_t kKeys = 100'000;
  Engine engine{Setting{}};
  const std::vector<Key> keys = all_keys(kKeys);
  for (std::size_t at = 0; at < keys.size(); at += kFillBatch) {
    engine.put(std::span(keys).subspan(at, kFillBatch), noise(at < kHotKeys ? 1'024 : 100));
  }
  engine.settle();
  engine.close();
  const Task gets{draw_keys(load::Distribution::kUniform, kHotKeys, 1U << 20), {}, kGetsATurn};
  const Task sets{draw_keys(load::Distribution::kUniform, kKeys, 1U << 17), noise(100), 64};
  for (const unsigned members : {1U, 2U, 4U}) {
    measure(bench, engine, "GET 1 KB, 1 k keys, " + of_processes(members), gets, false, members);
  }
  for (const unsigned members : {1U, 2U, 4U}) {
    measure(bench, engine, "SET 100 B, no sync, by 64, " + of_processes(members), sets, false, members);
  }
  bench.run();
}

void contend_durable(Bench& bench) {
  constexpr std::uint64_t kKeys = 100'000;
  constexpr std::size_t kInFlight = 64;
  Minivault engine{Setting{true}};
  engine.warm();
  engine.close();
  std::vector<Task> tasks;
  for (const unsigned members : {1U, 2U, 4U}) {
    tasks.push_back(
        {draw_keys(load::Distribution::kUniform, kKeys, 1U << 14), noise(100), kInFlight / members});
  }
  for (const unsigned i : {0U, 1U, 2U}) {
    const unsigned members = 1U << i;
    measure(bench, engine, "SET 100 B, durable, 64 in flight, " + of_processes(members), tasks[i], true,
            members);
  }
  bench.run();
}

}  // namespace

std::vector<Group> process_groups(const Options&) {
  return {{"1, 2 and 4 processes",
           "readers scale; writers at least hold",
           {{Minivault::kName, contend<Minivault>},
            {Lmdb::kName, contend<Lmdb>},
            {Minivault::kName, contend_durable}}}};
}

}  // namespace minivault::bench
