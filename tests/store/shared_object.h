#pragma once

#include <sys/mman.h>

#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "common/core/mapping.h"

namespace minivault::test {

/// A T that this process and all that it forks from now on see. Made of atomics.
template <typename T>
class SharedObject {
 public:
  SharedObject() {
    void* at = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::runtime_error("no shared memory");
    mapping_ = Mapping(at, sizeof(T));
    object_ = new (at) T{};
  }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  Mapping mapping_;
  T* object_ = nullptr;
};

/// A value that carries a number and shows any damage: its length and every byte follow from the number.
inline std::string stamped(std::uint64_t number, std::size_t size = 24) {
  std::string value = std::to_string(number) + ':';
  const std::size_t digits = value.size();
  if (value.size() < size) value.resize(size);
  for (std::size_t i = digits; i < value.size(); ++i) value[i] = static_cast<char>(number * 31 + i);
  return value;
}

/// The number of a stamped() value. Throws when it is not whole.
inline std::uint64_t number_of(std::string_view value) {
  const std::uint64_t number = std::strtoull(std::string(value.substr(0, 24)).c_str(), nullptr, 10);
  if (value != stamped(number, value.size())) throw std::runtime_error("a value that was never written");
  return number;
}

}  // namespace minivault::test
