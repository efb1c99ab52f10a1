#include "bench/store_table.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <sstream>

namespace minivault::bench {
namespace {

double counter(const benchmark::BenchmarkReporter::Run& run, const char* name) {
  const auto found = run.counters.find(name);
  return found == run.counters.end() ? 0 : static_cast<double>(found->second);
}

std::string ratio(double theirs, double ours) {
  if (theirs <= 0 || ours <= 0) return "";
  std::array<char, 32> text{};
  const double times = theirs / ours;
  std::snprintf(text.data(), text.size(), times < 10 ? "%.2f" : "%.0f", times);
  return text.data();
}

void print_line(const Line& line, const Line& ours) {
  const bool is_ours = &line == &ours;
  const auto against = [&](double theirs, double first) { return is_ours ? "1" : ratio(theirs, first); };
  std::printf("  %-34s %11.1f %11.1f %11.1f %8s %8s %8s  %s\n", line.engine.c_str(), line.wall_ns,
              line.cpu_ns, line.all_cpu_ns, against(line.wall_ns, ours.wall_ns).c_str(),
              against(line.cpu_ns, ours.cpu_ns).c_str(), against(line.all_cpu_ns, ours.all_cpu_ns).c_str(),
              line.remark.c_str());
}

}  // namespace

void Collector::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    const std::string name = run.run_name.function_name;
    const std::size_t slash = name.rfind('/');
    Line line{name.substr(0, slash),  name.substr(slash + 1),     counter(run, "wall_ns"),
              counter(run, "cpu_ns"), counter(run, "all_cpu_ns"), run.report_label};
    if (run.error_occurred) {
      line.remark = "FAILED: " + run.error_message;
    } else if (run.run_type == Run::RT_Aggregate ? run.aggregate_name != "median" : run.repetitions > 1) {
      continue;
    }
    lines_.push_back(line);
  }
}

void send(int fd, const std::vector<Line>& lines) {
  std::ostringstream text;
  text.precision(17);
  for (const Line& line : lines) {
    text << line.row << '\t' << line.engine << '\t' << line.wall_ns << '\t' << line.cpu_ns << '\t'
         << line.all_cpu_ns << '\t' << line.remark << '\n';
  }
  const std::string bytes = text.str();
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t written = ::write(fd, bytes.data() + sent, bytes.size() - sent);
    if (written <= 0) return;
    sent += static_cast<std::size_t>(written);
  }
}

std::vector<Line> receive(int fd) {
  std::string bytes;
  std::array<char, 4096> piece{};
  for (ssize_t got = 0; (got = ::read(fd, piece.data(), piece.size())) > 0;) {
    bytes.append(piece.data(), static_cast<std::size_t>(got));
  }
  std::istringstream text(bytes);
  std::vector<Line> lines;
  for (std::string row; std::getline(text, row, '\t');) {
    Line line;
    line.row = row;
    std::string number;
    std::getline(text, line.engine, '\t');
    for (double* figure : {&line.wall_ns, &line.cpu_ns, &line.all_cpu_ns}) {
      std::getline(text, number, '\t');
      *figure = std::stod(number);
    }
    std::getline(text, line.remark);
    lines.push_back(line);
  }
  return lines;
}

void print_table(const std::vector<Line>& lines) {
  const Line* ours = nullptr;
  for (const Line& line : lines) {
    if (ours == nullptr || ours->row != line.row) {
      ours = &line;
      std::printf("\n%-36s %11s %11s %11s %8s %8s %8s\n", line.row.c_str(), "ns/op", "cpu ns/op", "all cpu",
                  "x wall", "x cpu", "x all");
    }
    print_line(line, *ours);
  }
  std::fflush(stdout);
}

}  // namespace minivault::bench
