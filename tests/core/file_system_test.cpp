// What a data directory may lie on: the table, name by name, and what the machine says of real directories.

#include "common/core/file_system.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <utility>

#include "tests/support/temporary_directory.h"

namespace minivault {
namespace {

using Kind = FileSystem::Kind;

constexpr std::uint32_t kFuse = 0x65735546U;

}  // namespace

class FileSystemTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FileSystemTest);
  CPPUNIT_TEST(networks_are_known);
  CPPUNIT_TEST(local_ones_are_left_alone);
  CPPUNIT_TEST(fuse_is_told_apart_by_its_program);
  CPPUNIT_TEST(a_directory_that_is_not_there_is_judged_by_where_it_would_be);
  CPPUNIT_TEST(this_machine_is_asked);
  CPPUNIT_TEST(what_cannot_be_synced_is_named);
  CPPUNIT_TEST_SUITE_END();

 public:
  void networks_are_known() {
    const std::pair<std::uint32_t, std::string> networks[] = {
        {0x6969, "NFS"},        {0x517B, "SMB"},      {0xFF534D42, "CIFS"},  {0xFE534D42, "SMB2"},
        {0x01021997, "9p"},     {0x5346414F, "AFS"},  {0x6B414653, "AFS"},   {0x00C36400, "Ceph"},
        {0x0BD00BD0, "Lustre"}, {0x73757245, "Coda"}, {0x786F4256, "vboxsf"}};
    for (const auto& [type, name] : networks) {
      const FileSystem found = classify_file_system(type, "");
      CPPUNIT_ASSERT_EQUAL(name, std::string(found.name));
      CPPUNIT_ASSERT_MESSAGE(name, found.kind == Kind::kNetwork);
    }
  }

  void local_ones_are_left_alone() {
    for (const std::uint32_t type : {0xEF53U, 0x01021994U, 0x58465342U, 0x9123683EU, 0x2FC12FC1U})
      CPPUNIT_ASSERT(classify_file_system(type, "").kind == Kind::kLocal);
    CPPUNIT_ASSERT(classify_file_system(0x794C7630, "").kind == Kind::kLayered);
  }

  void fuse_is_told_apart_by_its_program() {
    CPPUNIT_ASSERT(classify_file_system(kFuse, "fuseblk").kind == Kind::kLocal);
    for (const char* type : {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"})
      CPPUNIT_ASSERT_MESSAGE(type, classify_file_system(kFuse, type).kind == Kind::kNetwork);
    for (const char* type : {"fuse.myown", "fuse", "virtiofs", ""})
      CPPUNIT_ASSERT_MESSAGE(type, classify_file_system(kFuse, type).kind == Kind::kUserSpace);
  }

  void a_directory_that_is_not_there_is_judged_by_where_it_would_be() {
    const test::TemporaryDirectory directory;
    const auto there = file_system_of(directory.path());
    for (const std::string& path : {directory.file("new"), directory.file("new/"), directory.file("./new")}) {
      const auto found = file_system_of(path);
      CPPUNIT_ASSERT_MESSAGE(path, found.has_value() == there.has_value());
      CPPUNIT_ASSERT(found->name == there->name);
    }
    CPPUNIT_ASSERT(!file_system_of(directory.file("no/such")).has_value());
    CPPUNIT_ASSERT(file_system_of("new").has_value());
  }

  void what_cannot_be_synced_is_named() {
    const test::TemporaryDirectory directory;
    CPPUNIT_ASSERT(sync_directory(directory.path()));
    CPPUNIT_ASSERT(sync_name_of(directory.path()));
    CPPUNIT_ASSERT(sync_name_of("/"));      // above it is itself
    CPPUNIT_ASSERT(sync_name_of("/proc"));  // a mount: its name is on no disk
    const std::string none = directory.file("none");
    const Status no_directory = sync_directory(none);
    CPPUNIT_ASSERT(!no_directory && no_directory.error().message.find(none) != std::string::npos);
    CPPUNIT_ASSERT(!sync_name_of(none));
    CPPUNIT_ASSERT(!sync_directory(directory.write("file", "")));
  }

  void this_machine_is_asked() {
    CPPUNIT_ASSERT(refuse_network_file_system("/proc").has_value());
    const auto missing = refuse_network_file_system("/no/such/directory");
    CPPUNIT_ASSERT(!missing.has_value());
    CPPUNIT_ASSERT(missing.error().code == Code::kIo);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FileSystemTest, "file_system_test");

}  // namespace minivault
