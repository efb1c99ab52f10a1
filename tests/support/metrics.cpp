#include "tests/support/metrics.h"

#include <stdexcept>

namespace minivault::test {

Metrics::Metrics(std::uint16_t port, const Headers& headers) {
  const HttpResponse response = http(port, http_request("GET", "/metrics", headers));
  if (response.status != 200) throw std::runtime_error("/metrics: " + response.body);
  const auto families = protocol::parse_exposition(response.body);
  if (!families) throw std::runtime_error(families.error().message + " of\n" + response.body);
  for (const protocol::MetricFamily& family : *families) {
    families_[family.name] = family.type;
    for (const protocol::MetricSample& sample : family.samples) {
      std::string name = sample.name;
      char before = '{';
      for (const auto& [label, text] : sample.labels) {
        name += before + label + "=\"" + text + '"';
        before = ',';
      }
      if (!sample.labels.empty()) name += '}';
      samples_[name] = sample.value;
    }
  }
}

double Metrics::operator[](const std::string& sample) const {
  const auto found = samples_.find(sample);
  if (found == samples_.end()) throw std::runtime_error("no sample " + sample);
  return found->second;
}

}  // namespace minivault::test
