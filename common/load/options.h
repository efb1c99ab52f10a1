#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/client/address.h"
#include "common/core/error.h"
#include "common/load/codec.h"
#include "common/load/key_choice.h"

namespace minivault::load {

/// What `minivault bench` was asked to do, checked; nothing opened or sent yet.
struct Options {
  bool help = false;
  std::vector<client::Address> servers;  ///< connections are dealt to them in turn
  Protocol protocol = Protocol::kBinary;
  std::uint64_t connections = 50;
  std::uint64_t idle = 0;  ///< connections beside them that only stay open
  std::uint64_t threads = 1;
  std::uint64_t pipeline = 1;
  std::uint64_t wait = 0;  ///< RESP: a WAIT for so many replicas behind each pipeline; 0: none
  std::uint64_t value_bytes = 100;
  std::uint64_t keys = 100'000;
  Distribution distribution = Distribution::kUniform;
  std::uint64_t get_percent = 100;
  std::uint64_t seed = 1;
  std::chrono::milliseconds duration{10'000};
  std::uint64_t requests = 0;  ///< instead of `duration`, where not 0
  std::uint64_t rate = 0;      ///< a second, over all connections; 0: closed loop
  bool preload = false;
  bool verify = false;
  bool errors_ok = false;
  bool json = false;
  std::string auth_key;
  std::vector<pid_t> server_pids;
  bool find_server_pids = false;
  std::chrono::milliseconds settle{0};  ///< before the server's CPU time is read, for work it does afterwards
};

/// `arguments` is what follows the word `bench`. Flags stand anywhere, with one dash or two, as `-name value`
/// or `-name=value`; switches take no value. Errors: kInvalidArgument, one line that names what is wrong.
[[nodiscard]] Result<Options> parse_options(std::span<const std::string_view> arguments);

/// What -help prints.
[[nodiscard]] std::string_view help_text();

[[nodiscard]] std::string_view protocol_name(Protocol protocol);

}  // namespace minivault::load
