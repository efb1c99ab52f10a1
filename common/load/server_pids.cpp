#include "common/load/server_pids.h"

#include <rapidjson/document.h>

#include <optional>
#include <string>

namespace minivault::load {
namespace {

using LookUp = std::function<Result<ProcessCpu>(pid_t)>;

struct Named {
  std::string role;
  pid_t pid;
};

std::optional<Named> named_by(const rapidjson::Value& entry) {
  if (!entry.IsObject()) return std::nullopt;
  const auto pid = entry.FindMember("pid");
  const auto role = entry.FindMember("role");
  if (pid == entry.MemberEnd() || role == entry.MemberEnd()) return std::nullopt;
  if (!pid->value.IsInt() || !role->value.IsString()) return std::nullopt;
  return Named{{role->value.GetString(), role->value.GetStringLength()}, pid->value.GetInt()};
}

/// A worker is called "worker 0".
bool is_called(const ProcessCpu& process, const std::string& role) {
  return process.name == role || process.name.starts_with(role + ' ');
}

tl::unexpected<Error> elsewhere(const Named& named, const std::string& what) {
  return fail(Code::kNotFound, "-server-pid auto: the server's " + named.role + " is process " +
                                   std::to_string(named.pid) + ", and that " + what +
                                   ": is the server on another machine, or in a container?");
}

Result<pid_t> parent_of(const Named& named, const LookUp& look_up) {
  const auto process = look_up(named.pid);
  if (!process) return elsewhere(named, "does not run here");
  if (!is_called(*process, named.role)) return elsewhere(named, "is '" + process->name + "' here");
  const auto parent = look_up(process->parent);
  if (!parent || parent->name != "supervisor") return elsewhere(named, "is no supervisor's child here");
  return parent->pid;
}

}  // namespace

Result<pid_t> supervisor_in(std::string_view health, const LookUp& look_up) {
  const auto unknown = [] { return fail(Code::kCorrupt, "-server-pid auto: the server names no processes"); };
  rapidjson::Document document;
  document.Parse(health.data(), health.size());
  if (document.HasParseError() || !document.IsObject()) return unknown();
  const rapidjson::Value& said = document;
  const auto list = said.FindMember("processes");
  if (list == said.MemberEnd() || !list->value.IsArray() || list->value.Empty()) return unknown();
  std::optional<pid_t> supervisor;
  for (const auto& entry : list->value.GetArray()) {
    const auto named = named_by(entry);
    if (!named) return unknown();
    const auto parent = parent_of(*named, look_up);
    if (!parent) return parent;
    if (supervisor.value_or(*parent) != *parent) return elsewhere(*named, "is another supervisor's child");
    supervisor = *parent;
  }
  return *supervisor;
}

}  // namespace minivault::load
