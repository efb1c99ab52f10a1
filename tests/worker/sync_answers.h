#pragma once

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <string_view>

#include "common/cluster/message.h"
#include "common/cluster/notes.h"
#include "tests/support/frames.h"
#include "tests/support/raw_connection.h"
#include "tests/worker/board_node.h"

namespace minivault::test {

/// What an answer to a read says; the value looks into `answer`.
[[nodiscard]] inline cluster::ReadReply read_of(std::string_view answer) {
  cluster::Reply refusal{};
  auto reply = cluster::decode_read_reply(answer, refusal);
  CPPUNIT_ASSERT(reply.has_value());
  return *reply;
}

inline void assert_reply(cluster::Reply expected, const std::string& answer) {
  CPPUNIT_ASSERT_EQUAL_MESSAGE(answer, static_cast<int>(expected), static_cast<int>(refusal_in(answer)));
}

/// As a binary client is told.
[[nodiscard]] inline std::string get(const BoardNode& node, const std::string& key) {
  RawConnection connection(node.port());
  connection.send(get_frame(key));
  const std::string head = connection.receive(5);
  if (head[0] != '\0') return "(none)";
  return connection.receive(static_cast<std::uint8_t>(head[1]) + 256U * static_cast<std::uint8_t>(head[2]));
}

/// How far a node holds an origin's stream.
[[nodiscard]] inline cluster::Position position_of(const BoardNode& node, cluster::NodeId origin) {
  const std::string bytes = node.note(cluster::position_note(origin));
  if (bytes.empty()) return {};
  const auto position = cluster::decode_position(bytes);
  CPPUNIT_ASSERT(position.has_value());
  return *position;
}

}  // namespace minivault::test
