#pragma once

#include <string>

#include "common/store/base_format.h"
#include "tests/store/base_support.h"

/// What the tests of damaged bases share.
namespace minivault::store::base_damage_support {

using namespace base_support;

inline void make_base(const std::string& directory, unsigned keys) {
  auto base = must(Base::open_writer(directory, kMapBytes));
  fill(base, keys);
}

template <typename T>
void assert_corrupt(const tl::expected<T, Error>& result, const std::string& because) {
  CPPUNIT_ASSERT(!result);
  CPPUNIT_ASSERT_EQUAL_MESSAGE(result.error().message, Code::kCorrupt, result.error().code);
  CPPUNIT_ASSERT_MESSAGE(result.error().message, result.error().message.find(because) != std::string::npos);
}

/// As the base stores it under `key`, a short one.
inline std::string encoded(const std::string& key, const BaseRecord& record) {
  const base::StoredKey stored_key(key, 0);
  std::string bytes(base::record_bytes(stored_key, record), '\0');
  base::encode_record(stored_key, record, bytes.data());
  return bytes;
}

inline std::string damaged_at(std::string bytes, std::size_t at, char flipped = 0x40) {
  bytes.at(at) = static_cast<char>(bytes.at(at) ^ flipped);
  return bytes;
}

}  // namespace minivault::store::base_damage_support
