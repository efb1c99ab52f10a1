#include "common/load/cpu_time.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <sstream>

namespace minivault::load {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// All there are; who ends meanwhile is left out.
std::vector<ProcessCpu> all_processes() {
  std::vector<ProcessCpu> all;
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir("/proc"));
  if (!directory) return all;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    if (auto process = read_process(pid)) all.push_back(std::move(*process));
  }
  return all;
}

/// nullptr: it is not among them.
const ProcessCpu* find(std::span<const ProcessCpu> processes, pid_t pid) {
  const auto found =
      std::find_if(processes.begin(), processes.end(), [pid](const auto& one) { return one.pid == pid; });
  return found != processes.end() ? &*found : nullptr;
}

void subtract(CpuTime& from, const CpuTime& time) {
  from.user_s -= time.user_s;
  from.system_s -= time.system_s;
}

/// Who has, or would have, been given the time of a process that ended: its nearest ancestor that lives.
pid_t heir_of(const ProcessCpu& process, std::span<const ProcessCpu> before,
              std::span<const ProcessCpu> after) {
  pid_t heir = process.parent;
  while (find(after, heir) == nullptr) {
    const ProcessCpu* ancestor = find(before, heir);
    if (ancestor == nullptr) return 0;
    heir = ancestor->parent;
  }
  return heir;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

Result<ProcessCpu> parse_process_stat(std::string_view line) {
  const auto corrupt = [&] { return fail(Code::kCorrupt, "not a process: " + std::string(line)); };
  const std::size_t name_begin = line.find('(');
  const std::size_t name_end = line.rfind(')');  // a name may hold anything, brackets too
  if (name_begin == std::string_view::npos || name_end == std::string_view::npos || name_end < name_begin) {
    return corrupt();
  }
  ProcessCpu process;
  process.name = line.substr(name_begin + 1, name_end - name_begin - 1);
  std::istringstream front{std::string(line.substr(0, name_begin))};
  std::istringstream back{std::string(line.substr(name_end + 1))};
  std::string skipped;
  front >> process.pid;
  back >> skipped >> process.parent;  // fields 3 and 4 of proc(5)
  for (int field = 5; field <= 13; ++field) back >> skipped;
  for (CpuTime* time : {&process.time, &process.ended}) back >> time->user_s >> time->system_s;
  if (!front || !back) return corrupt();
  const auto ticks_a_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  for (CpuTime* time : {&process.time, &process.ended}) {
    time->user_s /= ticks_a_second;
    time->system_s /= ticks_a_second;
  }
  return process;
}

Result<ProcessCpu> read_process(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return fail(Code::kNotFound, "no process " + std::to_string(pid));
  return parse_process_stat(line);
}

Result<std::vector<ProcessCpu>> read_processes(std::span<const pid_t> roots) {
  const std::vector<ProcessCpu> all = all_processes();
  std::vector<ProcessCpu> found;
  for (const pid_t root : roots) {
    const ProcessCpu* process = find(all, root);
    if (process == nullptr) return fail(Code::kNotFound, "no process " + std::to_string(root));
    if (find(found, root) == nullptr) found.push_back(*process);
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const ProcessCpu& candidate : all) {
      if (candidate.parent == found[i].pid && find(found, candidate.pid) == nullptr)
        found.push_back(candidate);
    }
  }
  return found;
}

std::vector<ProcessCpu> used_between(std::span<const ProcessCpu> before, std::span<const ProcessCpu> after) {
  std::vector<ProcessCpu> used(after.begin(), after.end());
  for (ProcessCpu& process : used) {
    const ProcessCpu* earlier = find(before, process.pid);
    if (earlier == nullptr) continue;
    subtract(process.time, earlier->time);
    subtract(process.ended, earlier->ended);
  }
  for (const ProcessCpu& process : before) {
    if (find(after, process.pid) != nullptr) continue;
    const auto heir = std::find_if(used.begin(), used.end(), [&](const ProcessCpu& one) {
      return one.pid == heir_of(process, before, after);
    });
    if (heir == used.end()) continue;
    subtract(heir->ended, process.time);
    subtract(heir->ended, process.ended);
  }
  for (ProcessCpu& process : used) {
    // Nothing came to who ignores the ends of its children.
    process.time.user_s += std::max(process.ended.user_s, 0.0);
    process.time.system_s += std::max(process.ended.system_s, 0.0);
    process.ended = {};
  }
  return used;
}

CpuTime own_cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
}

}  // namespace minivault::load
