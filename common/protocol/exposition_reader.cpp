#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "common/protocol/exposition.h"

namespace minivault::protocol {
namespace {

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name(std::string_view name) {
  return !name.empty() && is_name_start(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
    return is_name_start(c) || (c >= '0' && c <= '9');
  });
}

/// Takes what stands before `end` off the front of `text`, and `end`; false: it is not there.
bool take(std::string_view& text, char end, std::string_view& taken) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return false;
  taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return true;
}

/// A quoted text at the front, without its quotes and escapes.
bool take_quoted(std::string_view& text, std::string& out) {
  if (!text.starts_with('"')) return false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return false;
    if (text[i] != 'n' && text[i] != '\\' && text[i] != '"') return false;
    out += text[i] == 'n' ? '\n' : text[i];
  }
  return false;
}

bool take_labels(std::string_view& line, MetricSample& sample) {
  do {
    std::string_view name;
    std::string value;
    if (!take(line, '=', name) || !is_name(name) || !take_quoted(line, value) || line.empty()) return false;
    for (const auto& label : sample.labels) {
      if (label.first == name) return false;
    }
    sample.labels.emplace_back(name, std::move(value));
    const char next = line.front();
    line.remove_prefix(1);
    if (next == '}') return line.starts_with(' ');
    if (next != ',') return false;
  } while (true);
}

bool parse_number(std::string_view text, double& value) {
  if (text == "+Inf") {
    value = std::numeric_limits<double>::infinity();
    return true;
  }
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() && std::isfinite(value);
}

bool parse_sample(std::string_view line, MetricSample& sample) {
  const std::size_t end = line.find_first_of("{ ");
  if (end == std::string_view::npos || !is_name(line.substr(0, end))) return false;
  sample.name = line.substr(0, end);
  const bool has_labels = line[end] == '{';
  line.remove_prefix(end + (has_labels ? 1 : 0));
  if (has_labels && !take_labels(line, sample)) return false;
  line.remove_prefix(1);  // the blank
  return parse_number(line, sample.value);
}

/// Samples of one histogram that share all labels but `le`.
struct Histogram {
  double below = 0;  ///< of the last bucket, and
  double upper = -std::numeric_limits<double>::infinity();
  bool is_closed = false;  ///< by +Inf
  bool has_sum = false;
  bool has_count = false;
};

bool add_to(Histogram& histogram, std::string_view suffix, const MetricSample& sample) {
  if (suffix == "_sum") return !std::exchange(histogram.has_sum, true);
  if (suffix == "_count") return !std::exchange(histogram.has_count, true) && sample.value == histogram.below;
  double upper = 0;
  if (suffix != "_bucket" || histogram.is_closed || !parse_number(sample.label("le"), upper)) return false;
  if (upper <= histogram.upper || sample.value < histogram.below) return false;
  histogram.upper = upper;
  histogram.below = sample.value;
  histogram.is_closed = std::isinf(upper);
  return true;
}

bool is_sound_histogram(const MetricFamily& family) {
  std::map<std::vector<std::pair<std::string, std::string>>, Histogram> histograms;
  for (const MetricSample& sample : family.samples) {
    auto labels = sample.labels;
    std::erase_if(labels, [](const auto& label) { return label.first == "le"; });
    const std::string_view suffix = std::string_view(sample.name).substr(family.name.size());
    if (!add_to(histograms[labels], suffix, sample)) return false;
  }
  return std::all_of(histograms.begin(), histograms.end(), [](const auto& each) {
    return each.second.is_closed && each.second.has_sum && each.second.has_count;
  });
}

/// The lines of a text, one after the other.
class Reader {
 public:
  Status read(std::string_view text) {
    if (!text.empty() && !text.ends_with('\n')) return wrong("the last line has no end");
    for (std::string_view line; take(text, '\n', line);) {
      ++line_;
      if (Status taken = take_line(line); !taken) return taken;
    }
    return end_family();
  }
  std::vector<MetricFamily> families;

 private:
  Status take_line(std::string_view line) {
    if (line.starts_with("# HELP ")) return begin_family(line.substr(7));
    if (line.starts_with("# TYPE ")) return set_type(line.substr(7));
    return add_sample(line);
  }

  Status begin_family(std::string_view line) {
    if (Status ended = end_family(); !ended) return ended;
    std::string_view name;
    if (!take(line, ' ', name) || !is_name(name) || line.empty())
      return wrong("HELP needs a name and a text");
    if (!names_.emplace(name).second) return wrong("a family comes twice");
    families.push_back({.name = std::string(name), .type = {}, .help = std::string(line), .samples = {}});
    return {};
  }

  Status set_type(std::string_view line) {
    if (families.empty() || !families.back().type.empty() || !families.back().samples.empty()) {
      return wrong("TYPE not behind its HELP");
    }
    std::string_view name;
    const bool is_own = take(line, ' ', name) && name == families.back().name;
    if (!is_own || (line != "counter" && line != "gauge" && line != "histogram")) return wrong("bad TYPE");
    families.back().type = line;
    return {};
  }

  Status add_sample(std::string_view line) {
    MetricSample sample;
    if (families.empty() || families.back().type.empty()) return wrong("a sample without HELP and TYPE");
    if (!parse_sample(line, sample)) return wrong("not a sample");
    MetricFamily& family = families.back();
    const bool has_suffix = family.type == "histogram";
    const bool is_own = has_suffix ? sample.name.starts_with(family.name + '_') : sample.name == family.name;
    if (!is_own) return wrong("a sample outside its family");
    auto labels = sample.labels;
    std::sort(labels.begin(), labels.end());
    if (!samples_.emplace(sample.name, std::move(labels)).second) return wrong("a sample comes twice");
    family.samples.push_back(std::move(sample));
    return {};
  }

  Status end_family() const {
    if (families.empty()) return {};
    if (families.back().type.empty()) return wrong("a family without TYPE");
    if (families.back().type == "histogram" && !is_sound_histogram(families.back())) {
      return wrong("the histogram before this does not add up");
    }
    return {};
  }

  [[nodiscard]] Status wrong(const std::string& why) const {
    return fail(Code::kCorrupt, "line " + std::to_string(line_) + ": " + why);
  }

  std::size_t line_ = 0;
  std::set<std::string, std::less<>> names_;
  std::set<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> samples_;
};

}  // namespace

std::string_view MetricSample::label(std::string_view name) const {
  for (const auto& [each, text] : labels) {
    if (each == name) return text;
  }
  return {};
}

Result<std::vector<MetricFamily>> parse_exposition(std::string_view text) {
  Reader reader;
  if (Status read = reader.read(text); !read) return tl::unexpected(read.error());
  return std::move(reader.families);
}

}  // namespace minivault::protocol
