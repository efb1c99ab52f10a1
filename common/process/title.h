#pragma once

#include <span>
#include <string_view>

namespace minivault {

/// What `ps` shows for a process: `minivault: worker 1` instead of the command line (which may hold a key).
///
/// One object, made first thing in main() and inherited by fork; each process sets its own title. One thread.
class ProcessTitle {
 public:
  /// Without a command line to write over: only the short name is set.
  ProcessTitle() = default;
  /// Takes the memory of `argv` and of the environment behind it. Neither argv's strings nor pointers got
  /// from getenv(3) may be used afterwards; the environment itself stays as it was.
  ProcessTitle(int argc, char** argv);

  ProcessTitle(const ProcessTitle&) = delete;
  ProcessTitle& operator=(const ProcessTitle&) = delete;

  /// `role` becomes the title (`minivault: ROLE`) and, cut to 15 bytes, the short name that log lines begin
  /// with.
  void set(std::string_view role);

 private:
  std::span<char> area_;  ///< owned by the kernel's picture of the process, there as long as it is
};

}  // namespace minivault
