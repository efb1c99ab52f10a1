#include "tests/support/node.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <stdexcept>

namespace minivault::test {
namespace {

bool is_event(const std::string& line, std::string_view event) {
  return line.find("] " + std::string(event)) != std::string::npos;
}

/// The number behind ` name=` in a log line.
std::uint16_t number_in(const std::string& line, const std::string& name) {
  const std::size_t at = line.find(' ' + name + '=');
  if (at == std::string::npos) throw std::runtime_error("no " + name + " in: " + line);
  return static_cast<std::uint16_t>(std::stoul(line.substr(at + name.size() + 2)));
}

}  // namespace

Node::Node(NodeOptions options) : options_(std::move(options)) {
  // Children of a killed supervisor come to this process instead of init, so that they can be found and
  // ended.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  try {
    start();
  } catch (...) {
    print_log();
    throw;
  }
}

Node::~Node() {
  if (std::uncaught_exceptions() > 0) print_log();
  if (!process_ || !process_->running()) return;
  const std::vector<pid_t> orphans = stop_and_list();
  process_->signal(SIGKILL);
  for (const pid_t pid : orphans) ::kill(pid, SIGKILL);
  for (const pid_t pid : orphans)
    ::waitpid(pid, nullptr, 0);  // theirs is this process once the supervisor is gone
}

std::vector<std::string> Node::command() const {
  std::vector<std::string> command = options_.launcher;
  const std::vector<std::string> node{minivault_binary(),
                                      "-config",
                                      directory_.file("minivault.conf"),
                                      "-bind",
                                      "127.0.0.1",
                                      "-port",
                                      "0",
                                      "-data",
                                      data(),
                                      "-log",
                                      "16",
                                      "-procs",
                                      "2"};
  command.insert(command.end(), node.begin(), node.end());
  if (http_port_ != 0) command.insert(command.end(), {"-http", std::to_string(http_port_)});
  command.insert(command.end(), options_.flags.begin(), options_.flags.end());
  return command;
}

void Node::start() {
  if (process_) {
    const auto lines = process_->lines();
    earlier_lines_.insert(earlier_lines_.end(), lines.begin(), lines.end());
  } else {
    (void)directory_.write("minivault.conf", "");  // keeps a configuration of this machine out
  }
  if (options_.http_listener) http_port_ = free_port();  // -http 0 means none
  process_ = std::make_unique<ChildProcess>(command(), options_.environment);
  if (options_.on_start) options_.on_start(process_->pid());
  const auto ready = process_->line([](const std::string& line) { return is_event(line, "ready "); });
  if (!ready) throw std::runtime_error("the node ended with status " + std::to_string(process_->wait()));
  port_ = number_in(*ready, "port");
}

int Node::stop(milliseconds limit) {
  process_->signal(SIGTERM);
  return process_->wait(limit);
}

void Node::kill() {
  const std::vector<pid_t> orphans = stop_and_list();
  process_->signal(SIGKILL);
  process_->wait();
  eventually("every process of a killed node ends", [&] {
    for (const pid_t pid : orphans) ::waitpid(pid, nullptr, WNOHANG);
    return std::none_of(orphans.begin(), orphans.end(), is_alive);
  });
}

/// The children of a supervisor that can start no more of them.
std::vector<pid_t> Node::stop_and_list() {
  suspend(process_->pid());
  return children();
}

void Node::reload() {
  const std::size_t seen = process_->lines().size();
  process_->signal(SIGHUP);
  const auto line = process_->line([](const std::string& text) { return is_event(text, "reloaded "); }, seen);
  if (!line) throw std::runtime_error("the node ended instead of reloading");
}

std::vector<pid_t> Node::children(const std::string& role) const {
  std::vector<pid_t> pids;
  for (const Process& process : descendants_of(process_->pid())) {
    if (process.name.starts_with(role)) pids.push_back(process.pid);
  }
  return pids;
}

pid_t Node::child(const std::string& role) const {
  std::vector<pid_t> pids;
  eventually("one child is " + role, [&] {
    pids = children(role);
    return pids.size() == 1;
  });
  return pids.front();
}

std::uint64_t Node::memory_bytes() const {
  std::uint64_t sum = 0;
  for (const pid_t pid : children()) sum += resident_bytes(pid);
  return sum;
}

void Node::print_log() const {
  constexpr std::size_t kShown = 200;
  std::vector<std::string> lines = earlier_lines_;
  if (process_) {
    const auto latest = process_->lines();
    lines.insert(lines.end(), latest.begin(), latest.end());
  }
  std::cerr << "--- log of the node (" << lines.size() << " lines) ---\n";
  for (std::size_t i = lines.size() > kShown ? lines.size() - kShown : 0; i < lines.size(); ++i) {
    std::cerr << lines[i] << '\n';
  }
  std::cerr << "--- end ---\n";
}

}  // namespace minivault::test
