// Kinds, asked of the Linux this runs on: the answers of the simulated machine are held to the same by conformance.
#include "engine/store/descriptor_kind.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <utility>

#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/store/null_kernel.hpp"

namespace vcpr::store {
namespace {

namespace abi = os::abi;

struct DescriptorKindTest : testing::Test {
  std::unique_ptr<os::Kernel> kernel = os::linux_kernel();

  os::Fd own(os::Result<int> number) {
    EXPECT_TRUE(number);
    return {*kernel, number.value_or(-1)};
  }
  os::Fd eventfd() { return own(kernel->eventfd(0, abi::efd_cloexec)); }
  os::Fd memfd() { return own(kernel->memfd_create("kind", abi::mfd_cloexec)); }
};

TEST_F(DescriptorKindTest, TellsWhatADescriptorIs) {
  os::Fd event = eventfd();
  os::Fd file = memfd();
  os::Fd null = own(kernel->open("/dev/null", abi::o_rdwr | abi::o_cloexec));
  os::Fd folder = own(kernel->open("/", abi::o_rdonly | abi::o_cloexec));
  os::Fd socket = own(kernel->socket(abi::af_unix, abi::sock_stream | abi::sock_cloexec, 0));
  EXPECT_EQ(kind_of(*kernel, event.number()), DescriptorKind::eventfd);
  EXPECT_EQ(kind_of(*kernel, file.number()), DescriptorKind::file);
  EXPECT_EQ(kind_of(*kernel, null.number()), DescriptorKind::device);
  EXPECT_EQ(kind_of(*kernel, folder.number()), DescriptorKind::other);
  EXPECT_EQ(kind_of(*kernel, socket.number()), DescriptorKind::socket);
}

TEST_F(DescriptorKindTest, AClosedDescriptorIsNoKind) {
  int number = eventfd().number();
  auto kind = kind_of(*kernel, number);
  ASSERT_FALSE(kind);
  EXPECT_EQ(kind.error().code, ErrorCode::bad_descriptor);
}

/// Character devices as fstat and readlink would show them.
struct DeviceKernel : NullKernel {
  std::uint64_t special_device = 0;
  std::string link;
  int calls = 0;
  os::Result<os::Stat> fstat(int) override {
    ++calls;
    return os::Stat{.mode = abi::s_ifchr | 0600, .special_device = special_device};
  }
  os::Result<std::size_t> readlink(const char*, std::span<char> buffer) override {
    ++calls;
    std::size_t size = std::min(buffer.size(), link.size());
    std::memcpy(buffer.data(), link.data(), size);
    return size;
  }
};

TEST(DescriptorKindOfDevices, AContainerIsKnownByItsDeviceNumber) {
  DeviceKernel kernel;
  kernel.special_device = 10 << 8 | 196;
  kernel.link = "/somewhere/else";
  EXPECT_EQ(kind_of(kernel, 3), DescriptorKind::vfio_container);
  EXPECT_EQ(kernel.calls, 1);
}

TEST(DescriptorKindOfDevices, AGroupIsKnownByItsPath) {
  DeviceKernel kernel;
  for (std::string path : {"/dev/vfio/12", "/dev/vfio/noiommu-0", "/jail/dev/vfio/7"}) {
    kernel.link = path;
    EXPECT_EQ(kind_of(kernel, 3), DescriptorKind::vfio_group) << path;
  }
  for (std::string path :
       {"/dev/vfio/devices/vfio0", "/dev/vfio/", "/dev/vfio/1x", "/dev/novfio/1", "/dev/null", "vfio/1", "1", ""}) {
    kernel.link = path;
    EXPECT_EQ(kind_of(kernel, 3), DescriptorKind::device) << path;
  }
  kernel.link = "/" + std::string(300, 'x') + "/vfio/1";
  EXPECT_EQ(kind_of(kernel, 3), DescriptorKind::device) << "a path that was cut says nothing";
}

TEST(RequiredKind, ReservedNamesSayWhatTheyMustBe) {
  EXPECT_EQ(required_kind("vfio_group"), DescriptorKind::vfio_group);
  EXPECT_EQ(required_kind("vfio_container_for_group"), DescriptorKind::vfio_container);
  for (std::string_view name :
       {"d_interrupt", "d_kvm_interrupt", "d_intx-interrupt", "d_intx-unmask", "d_err_notifier", "d_req_notifier"}) {
    EXPECT_EQ(required_kind(name), DescriptorKind::eventfd) << name;
  }
  for (std::string_view name : {"ram0", "iommufd0", "0000:00:07.0", "interrupt", "d_interrupt2", "vfio_group2"}) {
    EXPECT_EQ(required_kind(name), DescriptorKind::any) << name;
  }
}

TEST_F(DescriptorKindTest, ATableOfRightKindsPasses) {
  DescriptorTable table;
  ASSERT_TRUE(table.save({"d_interrupt", 0}, eventfd()));
  ASSERT_TRUE(table.save({"d_req_notifier", 0}, eventfd()));
  ASSERT_TRUE(table.save({"ram0", 0}, memfd()));
  EXPECT_TRUE(verify_kinds(*kernel, table));
}

TEST_F(DescriptorKindTest, AWrongKindIsNamedWithItsEntryAndBothKinds) {
  DescriptorTable table;
  ASSERT_TRUE(table.save({"d_interrupt", 4}, memfd()));
  auto verified = verify_kinds(*kernel, table);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, ErrorCode::wrong_kind);
  for (std::string_view part : {"\"d_interrupt\" id 4", "file", "eventfd"}) {
    EXPECT_NE(verified.error().text.find(part), std::string::npos) << verified.error().text;
  }
}

TEST_F(DescriptorKindTest, AnEventfdIsNoGroupAndNoContainer) {
  for (std::string_view name : {"vfio_group", "vfio_container_for_group"}) {
    DescriptorTable table;
    ASSERT_TRUE(table.save({name, 1}, eventfd()));
    auto verified = verify_kinds(*kernel, table);
    ASSERT_FALSE(verified) << name;
    EXPECT_EQ(verified.error().code, ErrorCode::wrong_kind);
  }
}

TEST_F(DescriptorKindTest, AnEntryWhoseDescriptorWasClosedBehindItsBackIsNamed) {
  DescriptorTable table;
  ASSERT_TRUE(table.save({"d_interrupt", 0}, eventfd()));
  ASSERT_TRUE(kernel->close(table.find({"d_interrupt", 0}).value()));
  auto verified = verify_kinds(*kernel, table);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, ErrorCode::bad_descriptor);
  EXPECT_NE(verified.error().text.find("d_interrupt"), std::string::npos);
  table.disown();
}

TEST(VerifyKinds, SpendsOneCallOnAnEventfd) {
  struct : DeviceKernel {
    os::Result<os::Stat> fstat(int) override {
      ++calls;
      return os::Stat{.mode = 0600};
    }
  } kernel;
  kernel.link = "anon_inode:[eventfd]";
  DescriptorTable table;
  for (int vector = 0; vector < 10; ++vector) {
    ASSERT_TRUE(table.save({"d_interrupt", vector}, os::Fd(kernel, vector)));
  }
  EXPECT_TRUE(verify_kinds(kernel, table));
  EXPECT_EQ(kernel.calls, 10);
}

}  // namespace
}  // namespace vcpr::store
