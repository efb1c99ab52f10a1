#include "supervisor/log_style.h"

#include <unistd.h>

#include <cstdlib>

namespace minivault::supervisor {

LogStyle log_style_of(const Config& config) {
  return {.least = config.log_level,
          .format = config.log_format,
          .journal = is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"))};
}

}  // namespace minivault::supervisor
