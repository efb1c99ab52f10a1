#include "tests/client/fake_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <stdexcept>

namespace minivault::test {
namespace {

template <typename Integer>
Integer receive_integer(RawConnection& connection) {
  Integer value{};
  std::memcpy(&value, connection.receive(sizeof value).data(), sizeof value);
  return value;
}

}  // namespace

FakeServer::FakeServer(Script script) : script_(std::move(script)), listener_(listen_on_loopback()) {
  acceptor_ = std::jthread([this] { accept_all(); });
}

FakeServer::~FakeServer() {
  ::shutdown(listener_.fd.get(), SHUT_RDWR);  // ends the accept that waits
  acceptor_.join();
}

void FakeServer::accept_all() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    const unsigned number = accepted_++;
    connections_.emplace_back(
        [this, number, socket = std::move(fd)]() mutable { serve(std::move(socket), number); });
  }
}

void FakeServer::serve(UniqueFd fd, unsigned number) {
  RawConnection connection(std::move(fd));
  try {
    script_(connection, number);
  } catch (const std::exception&) {
    // The client went away, or did not send what the script expects: what it saw is for the test to judge.
  }
}

SeenRequest receive_request(RawConnection& connection) {
  SeenRequest request;
  request.opcode = receive_integer<std::uint8_t>(connection);
  request.key = connection.receive(receive_integer<std::uint16_t>(connection));
  if (request.opcode == 2 || request.opcode == 4) {
    const auto size = receive_integer<std::uint32_t>(connection);
    [[maybe_unused]] const std::string compressed = connection.receive(1);
    request.value = connection.receive(size);
  }
  return request;
}

std::string ok_answer(std::string_view value) {
  const auto size = static_cast<std::uint32_t>(value.size());
  std::string answer(5, '\0');
  std::memcpy(answer.data() + 1, &size, sizeof size);
  return answer.append(value);
}

void echo(RawConnection& connection, unsigned) {
  for (;;) {
    const SeenRequest request = receive_request(connection);
    connection.send(ok_answer(request.opcode == 1 ? request.key : ""));
  }
}

void ignore(RawConnection& connection, unsigned) {
  pollfd entry{connection.fd(), POLLRDHUP, 0};
  ::poll(&entry, 1, static_cast<int>(kPatience.count()));
}

}  // namespace minivault::test
