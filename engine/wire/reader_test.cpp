// A reader takes fields in order, never past the end, and a failed read moves nothing.
#include "engine/wire/reader.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"

namespace vcpr::wire {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

template <class T>
std::string refusal(const Expected<T>& result) {
  return result ? "no error" : result.error().message();
}

TEST(Reader, IntegersAreBigEndian) {
  auto bytes = bytes_of({0xf1, 0x02, 0xf3, 0x04, 0x05, 0x06, 0xf7, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0xff});
  Reader reader(bytes);
  EXPECT_EQ(reader.u8("a"), 0xf1);
  EXPECT_EQ(reader.be16("b"), 0x02f3);
  EXPECT_EQ(reader.be32("c"), 0x040506f7u);
  EXPECT_EQ(reader.be64("d"), 0x08090a0b0c0d0effu);
  EXPECT_TRUE(reader.at_end());
}

TEST(Reader, AShortFieldIsRefusedWhereItBegins) {
  auto bytes = bytes_of({1, 2, 3, 4, 5, 6, 7, 8});
  for (std::uint64_t start = 0; start <= bytes.size(); ++start) {
    auto at = [&] {
      Reader reader(bytes);
      EXPECT_TRUE(reader.bytes(start, "start"));
      return reader;
    };
    std::uint64_t left = bytes.size() - start;
    EXPECT_EQ(at().u8("x").has_value(), left >= 1) << start;
    EXPECT_EQ(at().be16("x").has_value(), left >= 2) << start;
    EXPECT_EQ(at().be32("x").has_value(), left >= 4) << start;
    EXPECT_EQ(at().be64("x").has_value(), left >= 8) << start;
    EXPECT_EQ(at().bytes(left, "x").has_value(), true) << start;
    EXPECT_EQ(at().bytes(left + 1, "x").has_value(), false) << start;
  }
  Reader reader(bytes);
  ASSERT_TRUE(reader.be32("first"));
  EXPECT_EQ(refusal(reader.be64("the size")), "truncated at byte 4: the size ends after 4 of 8 bytes");
  EXPECT_EQ(reader.offset(), 4u);
  EXPECT_EQ(reader.be32("second"), 0x05060708u);
}

TEST(Reader, ACountBeyondAllMemoryIsTruncated) {
  auto bytes = bytes_of({1, 2});
  Reader reader(bytes);
  ASSERT_TRUE(reader.u8("first"));
  EXPECT_FALSE(reader.bytes(UINT64_MAX, "all"));
  EXPECT_EQ(reader.offset(), 1u);
}

TEST(Reader, BytesAreAViewOfTheStream) {
  auto bytes = bytes_of({1, 2, 3});
  Reader reader(bytes);
  auto view = reader.bytes(2, "two");
  ASSERT_TRUE(view);
  EXPECT_EQ(view->data(), bytes.data());
  EXPECT_EQ(view->size(), 2u);
  EXPECT_EQ(reader.rest().data(), bytes.data() + 2);
  EXPECT_EQ(reader.remaining(), 1u);
}

TEST(Reader, CountedStringsHaveTheirLengthInFront) {
  auto bytes = bytes_of({2, 'h', 'i', 0, 3, 'a', 'b'});
  Reader reader(bytes);
  EXPECT_EQ(reader.counted_string("name"), "hi");
  EXPECT_EQ(reader.counted_string("name"), "");
  EXPECT_EQ(refusal(reader.counted_string("name")), "truncated at byte 4: name ends after 3 of 4 bytes");
  EXPECT_EQ(reader.offset(), 4u);
  Reader empty({});
  EXPECT_EQ(refusal(empty.counted_string("name")), "truncated at byte 0: name ends after 0 of 1 bytes");
}

TEST(Reader, PeekLooksWithoutMoving) {
  auto bytes = bytes_of({1, 2});
  Reader reader(bytes);
  EXPECT_EQ(*reader.peek(), std::byte{1});
  EXPECT_EQ(*reader.peek(1), std::byte{2});
  EXPECT_EQ(reader.peek(2), nullptr);
  EXPECT_EQ(reader.peek(UINT64_MAX), nullptr);
  EXPECT_EQ(reader.offset(), 0u);
}

class ReaderDescriptorTest : public testing::Test {
 protected:
  /// An eventfd that arrived with this byte; its number is remembered.
  void arrived(std::uint64_t first_byte) {
    os::Fd fd(*kernel_, *kernel_->eventfd(0, os::abi::efd_cloexec));
    numbers_.push_back(fd.number());
    fds_.push_back({.first_byte = first_byte, .fd = std::move(fd)});
  }

  std::unique_ptr<os::Kernel> kernel_ = os::linux_kernel();
  std::vector<ArrivedFd> fds_;
  std::vector<int> numbers_;
};

TEST_F(ReaderDescriptorTest, DescriptorsAreTakenInOrderEachWithItsServiceByte) {
  arrived(0);
  arrived(1);
  auto bytes = bytes_of({0x20, 0x20});
  Reader reader(bytes, fds_);
  auto first = reader.descriptor("a");
  auto second = reader.descriptor("b");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->number(), numbers_[0]);
  EXPECT_EQ(second->number(), numbers_[1]);
  EXPECT_EQ(reader.descriptors_left(), 0u);
  EXPECT_FALSE(fds_[0].fd.is_open()) << "it has one owner";
}

TEST_F(ReaderDescriptorTest, ADescriptorMayComeEarlyButNotLate) {
  arrived(1);
  arrived(3);
  auto bytes = bytes_of({0, 0x20, 0x20, 0x20});
  Reader reader(bytes, fds_);
  ASSERT_TRUE(reader.u8("skip"));
  EXPECT_TRUE(reader.descriptor("just in time"));
  EXPECT_EQ(refusal(reader.descriptor("ram0")),
            "missing_descriptor at byte 2: ram0: the next descriptor came later, with byte 3");
  EXPECT_EQ(reader.offset(), 2u);
  EXPECT_EQ(reader.descriptors_left(), 1u);
  ASSERT_TRUE(reader.u8("skip"));
  EXPECT_TRUE(reader.descriptor("early enough"));
}

TEST_F(ReaderDescriptorTest, AServiceByteWithoutADescriptorIsRefused) {
  auto bytes = bytes_of({0x20});
  Reader reader(bytes);
  EXPECT_EQ(refusal(reader.descriptor("ram0")), "missing_descriptor at byte 0: ram0: no descriptor came");
  EXPECT_EQ(reader.offset(), 0u);
}

TEST_F(ReaderDescriptorTest, AnyOtherByteIsRefusedAndTakesNoDescriptor) {
  arrived(0);
  for (int value = 0; value < 256; ++value) {
    if (value == 0x20) continue;
    auto bytes = bytes_of({value});
    Reader reader(bytes, fds_);
    auto refused = reader.descriptor("ram0");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::bad_service_byte);
    EXPECT_EQ(refused.error().offset, 0u);
    EXPECT_EQ(reader.descriptors_left(), 1u);
  }
  EXPECT_TRUE(fds_[0].fd.is_open());
}

TEST_F(ReaderDescriptorTest, AtTheEndTheServiceByteIsMissing) {
  arrived(0);
  Reader reader({}, fds_);
  EXPECT_EQ(refusal(reader.descriptor("ram0")), "truncated at byte 0: ram0 ends after 0 of 1 bytes");
  EXPECT_EQ(reader.descriptors_left(), 1u);
}

}  // namespace
}  // namespace vcpr::wire
