// What is written is big-endian, in order, and a reader gets it back.
#include "engine/wire/writer.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/wire/reader.hpp"

namespace vcpr::wire {
namespace {

std::vector<int> values(const Outbox& out) {
  std::vector<int> found;
  for (std::byte byte : out.bytes) found.push_back(std::to_integer<int>(byte));
  return found;
}

TEST(Writer, IntegersAreBigEndian) {
  Outbox out;
  Writer writer(out);
  writer.u8(0xf1);
  writer.be16(0x02f3);
  writer.be32(0x040506f7);
  writer.be64(0x08090a0b0c0d0eff);
  EXPECT_EQ(values(out),
            (std::vector{0xf1, 0x02, 0xf3, 0x04, 0x05, 0x06, 0xf7, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0xff}));
  EXPECT_EQ(writer.offset(), 15u);
}

TEST(Writer, TextIsItsCharactersAndACountedStringHasItsLengthInFront) {
  Outbox out;
  Writer writer(out);
  writer.text("ab");
  writer.counted_string("cd");
  writer.counted_string("");
  writer.bytes(std::as_bytes(std::span(std::string_view("\0e", 2))));
  EXPECT_EQ(values(out), (std::vector<int>{'a', 'b', 2, 'c', 'd', 0, 0, 'e'}));
}

TEST(Writer, ADescriptorRidesOnItsServiceByte) {
  Outbox out;
  Writer writer(out);
  writer.u8(1);
  writer.descriptor(7);
  writer.u8(2);
  writer.descriptor(9);
  EXPECT_EQ(values(out), (std::vector{1, 0x20, 2, 0x20}));
  ASSERT_EQ(out.descriptors.size(), 2u);
  EXPECT_EQ(out.descriptors[0].offset, 1u);
  EXPECT_EQ(out.descriptors[0].number, 7);
  EXPECT_EQ(out.descriptors[1].offset, 3u);
  EXPECT_EQ(out.descriptors[1].number, 9);
}

TEST(Writer, AReaderGetsEverythingBack) {
  Outbox out;
  Writer writer(out);
  std::string longest(kCountedStringBytes, 'n');
  for (std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x8000000000000001}, UINT64_MAX}) {
    writer.be64(value);
    writer.be32(static_cast<std::uint32_t>(value));
    writer.be16(static_cast<std::uint16_t>(value));
    writer.u8(static_cast<std::uint8_t>(value));
    writer.counted_string(longest);
    Reader reader(out.bytes);
    EXPECT_EQ(reader.be64("a"), value);
    EXPECT_EQ(reader.be32("b"), static_cast<std::uint32_t>(value));
    EXPECT_EQ(reader.be16("c"), static_cast<std::uint16_t>(value));
    EXPECT_EQ(reader.u8("d"), static_cast<std::uint8_t>(value));
    EXPECT_EQ(reader.counted_string("e"), longest);
    EXPECT_TRUE(reader.at_end());
    out = {};
  }
}

}  // namespace
}  // namespace vcpr::wire
