#include "common/client/command_line.h"

#include <rapidjson/document.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <vector>

#include "common/client/command_arguments.h"
#include "common/client/connection.h"
#include "common/client/http_client.h"

namespace minivault::client {
namespace {

using Action = Command::Action;

constexpr int kDone = 0;
constexpr int kNotDone = 1;
constexpr int kWrongUsage = 2;

constexpr const char* kUsage =
    "usage: minivault get ADDRESS KEY [-consistency quorum]   the newest that a majority holds; else the "
    "node's own\n"
    "       minivault set ADDRESS KEY [VALUE | -file PATH]   without either, the value is read from standard "
    "input\n"
    "       minivault del ADDRESS KEY\n"
    "       minivault health ADDRESS\n"
    "flags: -auth KEY, -auth-file FILE, -timeout 10s\n";

bool asks_for_help(std::span<const std::string_view> arguments) {
  for (const std::string_view argument : arguments) {
    if (argument == "--") return false;
    if (argument == "-help" || argument == "--help" || argument == "-h") return true;
  }
  return false;
}

int not_done(const std::string& why) {
  std::cerr << "minivault: " << why << '\n';
  return kNotDone;
}

Result<std::string> read_all(std::istream& stream, const std::string& name) {
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  if (stream.bad()) return fail(Code::kIo, name + ": cannot be read");
  return bytes;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail_errno(path, errno);
  return read_all(stream, path);
}

/// The key without the line break that an editor leaves at its end.
Result<std::string> read_auth_key(const std::string& path) {
  auto key = read_file(path);
  if (!key) return key;
  while (key->ends_with('\n') || key->ends_with('\r')) key->pop_back();
  if (key->empty()) return fail(Code::kInvalidArgument, path + ": no key in it");
  return key;
}

Result<std::string> value_of(const Command& command) {
  if (command.value) return *command.value;
  if (command.value_file) return read_file(*command.value_file);
  return read_all(std::cin, "standard input");
}

Result<std::string> auth_key_of(const Command& command) {
  if (command.auth_file) return read_auth_key(*command.auth_file);
  return command.auth_key;
}

Result<Connection> connect(const Command& command) {
  auto key = auth_key_of(command);
  if (!key) return tl::unexpected(key.error());
  Options options;
  options.connect_timeout = command.time_out;
  options.request_timeout = command.time_out;
  options.auth_key = std::move(*key);
  return Connection::open(command.address, options);
}

/// Bytes as they are; a newline only for a person's terminal.
int print(const std::string& bytes) {
  std::cout.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (::isatty(STDOUT_FILENO) == 1) std::cout << '\n';
  std::cout.flush();
  return std::cout ? kDone : not_done("standard output cannot be written");
}

std::string status_in(const std::string& json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject()) return "";
  if (!document.HasMember("status") || !document["status"].IsString()) return "";
  return {document["status"].GetString(), document["status"].GetStringLength()};
}

int run_get(Connection& connection, const Command& command) {
  const auto value = connection.get(command.key);
  return value ? print(*value) : not_done(command.key + ": " + value.error().message);
}

/// Over HTTP: the binary protocol has no word for it.
Result<std::string> get_of_quorum(const Command& command) {
  auto key = auth_key_of(command);
  if (!key) return key;
  Result<HttpClient> node = HttpClient::connect(command.address, *key, command.time_out);
  if (!node) return tl::unexpected(node.error());
  const std::string target = target_of(command.key);
  node->queue({.method = "GET",
               .target = target,
               .headers = "Accept: application/octet-stream\r\nX-Minivault-Consistency: quorum\r\n"});
  Result<HttpAnswer> answer = node->receive();
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status != 200) return fail(Code::kUnavailable, answer->error());
  return std::move(answer->body);
}

int run_get_of_quorum(const Command& command) {
  const auto value = get_of_quorum(command);
  return value ? print(*value) : not_done(command.key + ": " + value.error().message);
}

int run_set(Connection& connection, const Command& command, const std::string& value) {
  const Status status = connection.set(command.key, value);
  return status ? kDone : not_done(command.key + ": " + status.error().message);
}

int run_delete(Connection& connection, const Command& command) {
  const Status status = connection.remove(command.key);
  return status ? kDone : not_done(command.key + ": " + status.error().message);
}

int run_health(Connection& connection, const Command& command) {
  const auto json = connection.health();
  if (!json) return not_done(json.error().message);
  if (const int printed = print(*json); printed != kDone) return printed;
  const std::string status = status_in(*json);
  if (status == "healthy") return kDone;
  return not_done(command.address.text() + " is " + (status.empty() ? "of unknown health" : status));
}

int run(const Command& command) {
  std::string value;
  if (command.action == Action::kSet) {
    auto read = value_of(command);
    if (!read) return not_done(read.error().message);
    value = std::move(*read);
  }
  if (command.of_quorum) return run_get_of_quorum(command);
  auto connection = connect(command);
  if (!connection) return not_done(connection.error().message);
  switch (command.action) {
    case Action::kGet:
      return run_get(*connection, command);
    case Action::kSet:
      return run_set(*connection, command, value);
    case Action::kDelete:
      return run_delete(*connection, command);
    case Action::kHealth:
      return run_health(*connection, command);
  }
  return kWrongUsage;
}

}  // namespace

bool is_command(std::string_view word) {
  return word == "get" || word == "set" || word == "del" || word == "health";
}

int run_command(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (asks_for_help(arguments)) {
    std::cout << kUsage;
    return kDone;
  }
  const auto command = parse_command(arguments);
  if (command) return run(*command);
  std::cerr << "minivault: " << command.error().message << '\n' << kUsage;
  return kWrongUsage;
}

}  // namespace minivault::client
