#pragma once

#define XXH_INLINE_ALL
#include <cppunit/TestAssert.h>
#include <xxhash.h>

#include <cstddef>
#include <fstream>
#include <string>

#include "common/store/ring.h"

namespace minivault::test {

/// Has the header of a changes.log say that size, with the checksum that belongs to it. The file stays as
/// long as it is.
inline void put_ring_bytes(const std::string& log, std::uint64_t bytes) {
  std::fstream file(log, std::ios::binary | std::ios::in | std::ios::out);
  store::RingHeader header;
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  header.ring_bytes = bytes;
  header.checksum = XXH3_64bits(&header, offsetof(store::RingHeader, checksum));
  file.seekp(0);
  file.write(reinterpret_cast<const char*>(&header), sizeof header);
  CPPUNIT_ASSERT(file.flush());
}

}  // namespace minivault::test
