// Goal: the region asks the kernel for what it is built on: nothing of it in core dumps, huge pages where
// allowed. Method: what the kernel itself says of the mapping.

#include "common/shared/region.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace minivault::shared {

class RegionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RegionTest);
  CPPUNIT_TEST(no_core_dump_has_it);
  CPPUNIT_TEST(it_may_lie_in_huge_pages);
  CPPUNIT_TEST_SUITE_END();

 public:
  void no_core_dump_has_it() { CPPUNIT_ASSERT_MESSAGE(flags_, has("dd")); }

  void it_may_lie_in_huge_pages() {
    const bool kernel_can = std::filesystem::exists("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    CPPUNIT_ASSERT_EQUAL_MESSAGE(flags_, kernel_can, has("hg"));
  }

 private:
  [[nodiscard]] bool has(const std::string& flag) const {
    return flags_.find(' ' + flag + ' ') != std::string::npos;
  }

  /// "VmFlags: rd wr …" of the mapping that has `address`, as proc(5) describes /proc/PID/smaps.
  static std::string vm_flags(std::uintptr_t address) {
    std::ifstream smaps("/proc/self/smaps");
    bool is_there = false;
    for (std::string line; std::getline(smaps, line);) {
      std::uintptr_t begin = 0;
      std::uintptr_t end = 0;
      char dash = 0;
      if (std::istringstream(line) >> std::hex >> begin >> dash >> end && dash == '-') {
        is_there = begin <= address && address < end;
      } else if (is_there && line.starts_with("VmFlags:")) {
        return line + ' ';
      }
    }
    return "the mapping is not there";
  }

  Region region_ = Region::create(1 << 18).value();
  std::string flags_ = vm_flags(reinterpret_cast<std::uintptr_t>(region_.index_words().data()));
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RegionTest, "region_test");

}  // namespace minivault::shared
