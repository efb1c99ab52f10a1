#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <array>
#include <cstdio>

#include "common/admin/rates.h"

namespace minivault::admin {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), pattern, values...);
  return line.data();
}

/// Three digits that matter and a unit: `1.23 ms`, `456 MB`.
std::string scaled(double value, double step, const std::array<const char*, 4>& units) {
  std::size_t unit = 0;
  while (unit + 1 < units.size() && value >= step) {
    value /= step;
    ++unit;
  }
  return format(value < 10 ? "%.2f %s" : value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

std::string bytes(double value) {
  return scaled(value, 1024, {"B", "KB", "MB", "GB"});
}

std::string time(double seconds) {
  return seconds == 0 ? "-" : scaled(seconds * 1e9, 1000, {"ns", "us", "ms", "s"});
}

std::string count(double value) {
  return scaled(value, 1000, {"", "k", "M", "G"});
}

void add(Writer& json, const char* name, double value) {
  json.Key(name);
  json.Double(value);
}

void add(Writer& json, const char* name, bool value) {
  json.Key(name);
  json.Bool(value);
}

void add(Writer& json, const char* name, const std::string& value) {
  json.Key(name);
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void add_op(Writer& json, const OpRates& op) {
  json.StartObject();
  add(json, "op", op.op);
  add(json, "per_second", op.per_second);
  add(json, "failed_per_second", op.failed_per_second);
  add(json, "p50_seconds", op.p50_s);
  add(json, "p99_seconds", op.p99_s);
  json.EndObject();
}

void add_peer(Writer& json, const PeerRates& peer) {
  json.StartObject();
  add(json, "peer", peer.peer);
  add(json, "up", peer.up);
  add(json, "lag_bytes", peer.lag_bytes);
  add(json, "lag_seconds", peer.lag_s);
  add(json, "sent_bytes_per_second", peer.sent_per_second);
  add(json, "errors_per_second", peer.errors_per_second);
  json.EndObject();
}

}  // namespace

std::string json_of(const NodeRates& rates) {
  rapidjson::StringBuffer buffer;
  Writer json(buffer);
  json.SetMaxDecimalPlaces(9);
  json.StartObject();
  add(json, "seconds", rates.seconds);
  add(json, "ready", rates.ready);
  add(json, "version", rates.version);
  add(json, "connections", rates.connections);
  add(json, "keys", rates.keys);
  add(json, "memory_bytes", rates.memory_bytes);
  add(json, "cpu_cores", rates.cpu_cores);
  add(json, "quorum_needed", rates.quorum_needed);
  add(json, "quorum_reachable", rates.quorum_reachable);
  add(json, "log_bytes_per_second", rates.log_written_per_second);
  add(json, "log_backlog_bytes", rates.log_backlog_bytes);
  add(json, "log_size_bytes", rates.log_size_bytes);
  add(json, "syncs_per_second", rates.syncs_per_second);
  add(json, "sync_p50_seconds", rates.sync_p50_s);
  add(json, "sync_p99_seconds", rates.sync_p99_s);
  add(json, "found_by_index", rates.found_by_index);
  json.Key("ops");
  json.StartArray();
  for (const OpRates& op : rates.ops) add_op(json, op);
  json.EndArray();
  json.Key("peers");
  json.StartArray();
  for (const PeerRates& peer : rates.peers) add_peer(json, peer);
  json.EndArray();
  json.EndObject();
  return buffer.GetString();
}

std::string text_of(const NodeRates& rates) {
  std::string text = format("%s  minivault %s  %.0f connections  %s keys  memory %s  processors %.2f\n",
                            rates.ready ? "ready" : "NOT READY", rates.version.c_str(), rates.connections,
                            count(rates.keys).c_str(), bytes(rates.memory_bytes).c_str(), rates.cpu_cores);
  text += format("log     written %s/s  not in the base %s of %s  syncs %s/s, p50 %s, p99 %s\n",
                 bytes(rates.log_written_per_second).c_str(), bytes(rates.log_backlog_bytes).c_str(),
                 bytes(rates.log_size_bytes).c_str(), count(rates.syncs_per_second).c_str(),
                 time(rates.sync_p50_s).c_str(), time(rates.sync_p99_s).c_str());
  text += format("quorum  %.0f needed, %.0f reachable   lookups answered by the index %.0f %%\n\n",
                 rates.quorum_needed, rates.quorum_reachable, 100 * rates.found_by_index);
  text += format("%-10s %12s %12s %12s %12s\n", "OPERATION", "A SECOND", "FAILED", "P50", "P99");
  for (const OpRates& op : rates.ops) {
    text += format("%-10s %12s %12s %12s %12s\n", op.op.c_str(), count(op.per_second).c_str(),
                   count(op.failed_per_second).c_str(), time(op.p50_s).c_str(), time(op.p99_s).c_str());
  }
  if (rates.peers.empty()) return text;
  text += format("\n%-28s %-5s %12s %12s %12s\n", "PEER", "", "LAG", "LAG", "SENT");
  for (const PeerRates& peer : rates.peers) {
    text +=
        format("%-28s %-5s %12s %12s %10s/s\n", peer.peer.c_str(), peer.up ? "up" : "DOWN",
               bytes(peer.lag_bytes).c_str(), time(peer.lag_s).c_str(), bytes(peer.sent_per_second).c_str());
  }
  return text;
}

}  // namespace minivault::admin
