#include "tests/support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "tests/support/temporary_directory.h"

extern char** environ;  // NOLINT: the one that execve(2) takes

namespace minivault::test {
namespace {

std::vector<std::string> environment_block(const Environment& extra) {
  std::vector<std::string> block;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!text.starts_with("MINIVAULT_") && !text.starts_with("CLUSTER_NODES=")) block.emplace_back(text);
  }
  // So whole suites run once more in the other way (tests/CMakeLists.txt).
  if (const char* io_uring = ::getenv("TESTED_IO_URING"); io_uring != nullptr) {
    block.push_back(std::string("MINIVAULT_IO_URING=") + io_uring);
  }
  for (const auto& [name, value] : extra) block.push_back(name + '=' + value);
  return block;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

struct Streams {
  int in = -1;
  int out = -1;
  int err = -1;
};

/// fork and exec; the child gets `streams` as 0, 1 and 2 and is killed when the thread that calls this ends.
pid_t start(std::vector<std::string> command, const Environment& extra, const Streams& streams) {
  std::vector<std::string> block = environment_block(extra);
  const std::vector<char*> argv = pointers(command);
  const std::vector<char*> envp = pointers(block);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(streams.in, STDIN_FILENO);
  ::dup2(streams.out, STDOUT_FILENO);
  ::dup2(streams.err, STDERR_FILENO);
  ::execve(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

int status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

UniqueFd open_file(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) throw std::runtime_error("open " + path + ": " + std::strerror(errno));
  return fd;
}

std::string content(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

std::string minivault_binary() {
  const char* path = std::getenv("MINIVAULT_BINARY");
  if (path == nullptr) throw std::runtime_error("set MINIVAULT_BINARY to the path of the minivault program");
  return path;
}

ChildProcess::ChildProcess(const std::vector<std::string>& command, const Environment& environment)
    : stop_(::eventfd(0, EFD_CLOEXEC)) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  stderr_.reset(pipe[0]);
  const UniqueFd write_end(pipe[1]);
  const UniqueFd nothing = open_file("/dev/null", O_RDWR);
  pid_ = start(command, environment, {nothing.get(), write_end.get(), write_end.get()});
  reader_ = std::jthread([this] { read_lines(); });
}

ChildProcess::~ChildProcess() {
  if (running()) {
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
}

void ChildProcess::signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

bool ChildProcess::running() {
  if (status_) return false;
  int wait_status = 0;
  if (::waitpid(pid_, &wait_status, WNOHANG) != pid_) return true;
  status_ = status_of(wait_status);
  return false;
}

int ChildProcess::wait(milliseconds limit) {
  eventually(
      "process " + std::to_string(pid_) + " ends", [this] { return !running(); }, limit);
  return *status_;
}

std::optional<std::string> ChildProcess::line(const std::function<bool(const std::string&)>& wanted,
                                              std::size_t start, milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  std::unique_lock lock(mutex_);
  for (std::size_t i = start;;) {
    for (; i < lines_.size(); ++i) {
      if (wanted(lines_[i])) return lines_[i];
    }
    if (ended_) return std::nullopt;
    if (changed_.wait_until(lock, end) == std::cv_status::timeout)
      throw std::runtime_error("no such line in time");
  }
}

std::vector<std::string> ChildProcess::lines() const {
  const std::scoped_lock lock(mutex_);
  return lines_;
}

void ChildProcess::read_lines() {
  std::string partial;
  std::array<char, 4096> room{};
  for (;;) {
    std::array<pollfd, 2> sources{pollfd{stderr_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
    ::poll(sources.data(), sources.size(), -1);
    if (sources[0].revents == 0 && sources[1].revents != 0) break;
    const ssize_t count = ::read(stderr_.get(), room.data(), room.size());
    if (count <= 0) break;
    partial.append(room.data(), static_cast<std::size_t>(count));
    const std::scoped_lock lock(mutex_);
    for (std::size_t end = 0; (end = partial.find('\n')) != std::string::npos; partial.erase(0, end + 1)) {
      lines_.push_back(partial.substr(0, end));
    }
    changed_.notify_all();
  }
  const std::scoped_lock lock(mutex_);
  if (!partial.empty()) lines_.push_back(partial);
  ended_ = true;
  changed_.notify_all();
}

Finished run(const std::vector<std::string>& command, const std::string& input,
             const Environment& environment, milliseconds limit) {
  const TemporaryDirectory directory;
  const UniqueFd in = open_file(directory.write("in", input), O_RDONLY);
  const UniqueFd out = open_file(directory.file("out"), O_WRONLY | O_CREAT);
  const UniqueFd err = open_file(directory.file("err"), O_WRONLY | O_CREAT);
  const pid_t pid = start(command, environment, {in.get(), out.get(), err.get()});
  int wait_status = 0;
  try {
    eventually(
        command.front() + " ends", [&] { return ::waitpid(pid, &wait_status, WNOHANG) == pid; }, limit);
  } catch (...) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw;
  }
  return {status_of(wait_status), content(directory.file("out")), content(directory.file("err"))};
}

}  // namespace minivault::test
