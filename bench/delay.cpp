// A network with a delay, for bench/replicate: the proxy of the cluster tests as a program. In front of each
// target stands a port of its own; all bytes through it come so much later, in both directions.
//
//   bench_delay TARGET_PORT...     prints the ports, one for each target, in one line; then obeys lines of
//   its input:
//     delay MS                     from now on, one way
//     bytes                        prints, for each target, the bytes that went there and back since the
//     beginning
//
// It ends with its input.

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/fault_proxy.h"

namespace {

using minivault::test::FaultProxy;
using minivault::test::Way;
using Proxies = std::vector<std::unique_ptr<FaultProxy>>;

void obey(const std::string& command, const Proxies& proxies) {
  if (command == "bytes") {
    for (const auto& proxy : proxies) {
      std::cout << proxy->bytes(Way::kThere) << ' ' << proxy->bytes(Way::kBack) << ' ';
    }
  } else if (command.starts_with("delay ")) {
    const std::chrono::milliseconds delay(std::atoi(command.c_str() + sizeof "delay"));
    for (const auto& proxy : proxies) proxy->set({.delay = delay});
  } else {
    std::cout << "unknown command";
  }
  std::cout << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  Proxies proxies;
  for (int i = 1; i < argc; ++i) {
    proxies.push_back(std::make_unique<FaultProxy>());
    proxies.back()->forward_to(static_cast<std::uint16_t>(std::atoi(argv[i])));
    std::cout << proxies.back()->port() << ' ';
  }
  std::cout << std::endl;
  for (std::string line; std::getline(std::cin, line);) obey(line, proxies);
  return 0;
}
