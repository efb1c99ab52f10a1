#include "tests/supervisor/node_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

#include "common/process/title.h"
#include "supervisor/supervisor.h"
#include "tests/supervisor/fake_roles.h"
#include "tests/support/processes.h"

namespace minivault::test {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

Result<Config> reloaded(Config config) {
  const unsigned workers = script().reload_workers.load();
  if (workers == 0) return fail(Code::kInvalidArgument, "the script says no");
  config.worker_processes = workers;
  if (const unsigned port = script().reload_port.load(); port != 0)
    config.port = static_cast<std::uint16_t>(port);
  return config;
}

[[noreturn]] void supervise(const Config& config, const std::string& log_file) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(log, STDERR_FILENO);
  ::close(log);
  ProcessTitle title;
  ::_exit(supervisor::run_node(config, title, [&config] { return reloaded(config); }));
}

}  // namespace

NodeProcess::NodeProcess(const Config& config) {
  static_cast<void>(script());
  pid_ = ::fork();
  if (pid_ == 0) supervise(config, directory_.file("log"));
}

NodeProcess::~NodeProcess() {
  if (status_) return;
  const std::vector<pid_t> orphans = children();
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  try {
    eventually("children follow their supervisor",
               [&] { return std::none_of(orphans.begin(), orphans.end(), is_alive); });
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
  std::cerr << log();  // still running: the test failed, or had no need to stop it
}

void NodeProcess::send(int signal_number) const {
  ::kill(pid_, signal_number);
}

int NodeProcess::wait_for_end(milliseconds limit) {
  int raw = 0;
  eventually(
      "the node ends", [&] { return ::waitpid(pid_, &raw, WNOHANG) == pid_; }, limit);
  status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : -WTERMSIG(raw);
  return *status_;
}

std::string NodeProcess::log() const {
  return read_file(directory_.file("log"));
}

void NodeProcess::wait_for_log(const std::string& text) const {
  eventually("the log says: " + text, [&] { return log().find(text) != std::string::npos; });
}

std::uint16_t NodeProcess::wait_until_ready() const {
  wait_for_log(" ready port=");
  const std::string text = log();
  const std::string mark = " ready port=";
  return static_cast<std::uint16_t>(std::stoul(text.substr(text.find(mark) + mark.size())));
}

std::vector<pid_t> NodeProcess::children(const std::string& name) const {
  std::vector<pid_t> found;
  for (const Process& process : descendants_of(pid_)) {
    if (process.parent == pid_ && process.name.rfind(name, 0) == 0) found.push_back(process.pid);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace minivault::test
