#pragma once

#include <map>
#include <string>

#include "common/protocol/exposition.h"
#include "tests/support/http.h"

namespace minivault::test {

/// What a node's /metrics says at one moment.
class Metrics {
 public:
  /// Asks the node and reads the page strictly. Throws where it is not 200, or not what the format allows.
  explicit Metrics(std::uint16_t port, const Headers& headers = {});

  /// A sample by its name and labels as they stand on the page: `a_total{x="1",y="2"}`. Throws where there is
  /// none.
  [[nodiscard]] double operator[](const std::string& sample) const;
  [[nodiscard]] bool has_family(const std::string& name) const { return families_.contains(name); }
  [[nodiscard]] const std::map<std::string, std::string>& families() const { return families_; }

 private:
  std::map<std::string, double> samples_;
  std::map<std::string, std::string> families_;  ///< name, type
};

}  // namespace minivault::test
