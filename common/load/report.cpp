#include "common/load/report.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <utility>

namespace minivault::load {
namespace {

constexpr std::array<std::pair<const char*, double>, 4> kQuantiles = {
    {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}}};

double microseconds(std::uint64_t time_ns) {
  return static_cast<double>(time_ns) / 1000;
}

/// The kinds of errors and how many of each.
std::array<std::pair<const char*, std::uint64_t>, 6> errors_of(const Tally& tally) {
  return {{{"missing", tally.missing},
           {"refused", tally.refused},
           {"mismatched", tally.mismatched},
           {"lost", tally.lost},
           {"unsent", tally.unsent},
           {"broken_connections", tally.broken}}};
}

std::string work_of(const Options& options) {
  if (options.get_percent == 100) return "GET";
  if (options.get_percent == 0) return "SET";
  return std::to_string(options.get_percent) + " % GET, " + std::to_string(100 - options.get_percent) +
         " % SET";
}

std::string servers_of(const Options& options) {
  std::string text;
  for (const client::Address& server : options.servers)
    text.append(text.empty() ? "" : " ").append(server.text());
  return text;
}

void add_cpu(std::ostream& out, const Report& report) {
  out << "  CPU us a request   ";
  if (!report.server.empty()) {
    const CpuTime server = report.server_time();
    out << "server " << report.per_request_us(server.total_s()) << " (user "
        << report.per_request_us(server.user_s) << ", system " << report.per_request_us(server.system_s)
        << ")   ";
  }
  out << "this program " << report.per_request_us(report.own.total_s()) << '\n';
  for (const ProcessCpu& process : report.server) {
    out << "    " << process.name << " [" << process.pid << "] "
        << report.per_request_us(process.time.total_s()) << '\n';
  }
}

void add_errors(std::ostream& out, const Tally& tally) {
  if (tally.errors() == 0) return;
  out << "  errors  ";
  for (const auto& [name, count] : errors_of(tally)) {
    if (count > 0) out << ' ' << name << ' ' << grouped(count);
  }
  if (!tally.first_break.empty()) out << "  (" << tally.first_break << ')';
  out << '\n';
}

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void add(Writer& json, const char* name, std::uint64_t value) {
  json.Key(name);
  json.Uint64(value);
}

/// Three decimals are more than the clocks know.
void add(Writer& json, const char* name, double value) {
  json.Key(name);
  json.Double(std::round(value * 1000) / 1000);
}

void add(Writer& json, const char* name, const std::string& text) {
  json.Key(name);
  json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void add_options(Writer& json, const Options& options) {
  add(json, "servers", servers_of(options));
  add(json, "protocol", std::string(protocol_name(options.protocol)));
  add(json, "get_percent", options.get_percent);
  add(json, "connections", options.connections);
  add(json, "idle_connections", options.idle);
  add(json, "threads", options.threads);
  add(json, "pipeline", options.pipeline);
  add(json, "value_bytes", options.value_bytes);
  add(json, "keys", options.keys);
  add(json, "distribution", std::string(options.distribution == Distribution::kZipf ? "zipf" : "uniform"));
  add(json, "rate_wanted", options.rate);
  add(json, "verified", std::uint64_t{options.verify ? 1U : 0U});
}

void add_latency(Writer& json, const Histogram& latency) {
  json.Key("latency_us");
  json.StartObject();
  for (const auto& [name, fraction] : kQuantiles)
    add(json, name, microseconds(latency.quantile_ns(fraction)));
  add(json, "max", microseconds(latency.max_ns()));
  add(json, "mean", latency.mean_ns() / 1000);
  json.EndObject();
}

void add_server(Writer& json, const Report& report) {
  if (report.server.empty()) return;
  const CpuTime server = report.server_time();
  json.Key("server_cpu_us");
  json.StartObject();
  add(json, "total", report.per_request_us(server.total_s()));
  add(json, "user", report.per_request_us(server.user_s));
  add(json, "system", report.per_request_us(server.system_s));
  json.Key("processes");
  json.StartArray();
  for (const ProcessCpu& process : report.server) {
    json.StartObject();
    add(json, "pid", static_cast<std::uint64_t>(process.pid));
    add(json, "name", process.name);
    add(json, "us", report.per_request_us(process.time.total_s()));
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

}  // namespace

double Report::rate() const {
  return seconds > 0 ? static_cast<double>(tally.answered) / seconds : 0;
}

double Report::per_request_us(double cpu_s) const {
  return tally.answered > 0 ? cpu_s * 1e6 / static_cast<double>(tally.answered) : 0;
}

CpuTime Report::server_time() const {
  CpuTime sum;
  for (const ProcessCpu& process : server) {
    sum.user_s += process.time.user_s;
    sum.system_s += process.time.system_s;
  }
  return sum;
}

std::string text_of(const Report& report) {
  const Options& options = report.options;
  std::ostringstream out;
  out << std::fixed << std::setprecision(2);
  out << work_of(options) << ", " << protocol_name(options.protocol) << ", " << servers_of(options) << ": "
      << options.connections << " connections, pipeline " << options.pipeline << ", " << options.value_bytes
      << " byte values, " << grouped(options.keys) << " keys, "
      << (options.rate > 0 ? grouped(options.rate) + "/s wanted" : "closed loop") << '\n';
  out << "  " << grouped(static_cast<std::uint64_t>(report.rate())) << "/s   "
      << grouped(report.tally.answered) << " answers in " << report.seconds << " s\n";
  out << "  latency us  ";
  for (const auto& [name, fraction] : kQuantiles) {
    out << ' ' << name << ' ' << microseconds(report.tally.latency.quantile_ns(fraction)) << ' ';
  }
  out << " max " << microseconds(report.tally.latency.max_ns()) << '\n';
  add_cpu(out, report);
  add_errors(out, report.tally);
  return out.str();
}

std::string json_of(const Report& report) {
  rapidjson::StringBuffer buffer;
  Writer json(buffer);
  json.SetIndent(' ', 2);
  json.StartObject();
  add_options(json, report.options);
  add(json, "seconds", report.seconds);
  add(json, "answers", report.tally.answered);
  add(json, "requests_per_second", report.rate());
  add_latency(json, report.tally.latency);
  add_server(json, report);
  add(json, "own_cpu_us", report.per_request_us(report.own.total_s()));
  json.Key("errors");
  json.StartObject();
  for (const auto& [name, count] : errors_of(report.tally)) add(json, name, count);
  json.EndObject();
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + '\n';
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

}  // namespace minivault::load
