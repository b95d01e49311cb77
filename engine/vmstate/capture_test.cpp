// Streams recorded from a real QEMU: every byte understood, taken apart and put together, cut everywhere.
#include <gtest/gtest.h>

#include "engine/vmstate/dissect.hpp"
#include "engine/vmstate/main_stream_document.hpp"
#include "engine/vmstate/sections/global_state.hpp"
#include "engine/vmstate/sections/iommufd.hpp"
#include "engine/vmstate/sections/ram.hpp"
#include "engine/vmstate/sections/vfio_container.hpp"
#include "engine/vmstate/sections/vfio_cpr_pci.hpp"
#include "engine/vmstate/stream_testing.hpp"
#include "engine/vmstate/vmdescription.hpp"
#include "source_dir.hpp"

namespace vcpr::vmstate {
namespace {

using testing::Bytes;
using testing::FieldList;

class Capture : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  Bytes bytes_ = testing::read_file(GetParam());
};

constexpr std::uint32_t kIgbVectors = 10;

/// What a vmdescription says of one section.
std::string_view described(std::string_view json, std::string_view idstr) {
  std::string opening = "{\"name\": \"" + std::string(idstr) + "\"";
  auto begin = json.find(opening);
  if (begin == std::string_view::npos) return {};
  std::size_t depth = 0;
  for (auto at = begin; at < json.size(); ++at) {
    if (json[at] == '{') ++depth;
    if (json[at] == '}' && --depth == 0) return json.substr(begin, at + 1 - begin);
  }
  return {};
}

TEST_P(Capture, LeavesNoByteUnread) {
  FieldList seen;
  Dissection dissection = dissect_main_stream(bytes_, seen);
  EXPECT_EQ(dissection.error, std::nullopt) << dissection.error->message();
  EXPECT_TRUE(dissection.unread.empty());
  EXPECT_EQ(seen.covered(), bytes_.size()) << "fields follow each other without gap or overlap";
}

TEST_P(Capture, IsPutTogetherByteForByte) {
  ParsedMainStream parsed = parse_main_stream(bytes_);
  ASSERT_EQ(parsed.error, std::nullopt);
  EXPECT_EQ(encode_main_stream(parsed.document), bytes_);
}

/// A cut stream has lost its vmdescription, without which no device can be passed over: there is always an error.
TEST_P(Capture, TruncationsAreErrorsAndUnreadBytesAreCounted) {
  constexpr std::size_t kEveryByteUpTo = 300;
  std::size_t step = bytes_.size() / 40 + 1;
  for (std::size_t size = 0; size < bytes_.size(); size += size < kEveryByteUpTo ? 1 : step) {
    FieldList seen;
    Dissection dissection = dissect_main_stream(std::span(bytes_).first(size), seen);
    EXPECT_TRUE(dissection.error.has_value()) << size;
    std::uint64_t unread = dissection.unread.empty() ? 0 : size - dissection.unread[0].begin;
    EXPECT_EQ(seen.covered() + unread, size) << size;
  }
}

/// Loads a section of the capture into `object` by our own description and saves it again: same bytes, same JSON.
template <class T>
void expect_same_section(const ParsedMainStream& parsed, std::string_view idstr_end,
                         const DescriptionOf<T>& description, const T& fresh, int& found) {
  for (const MainRecord& record : parsed.document.records) {
    if (!record.head.idstr.ends_with(idstr_end)) continue;
    ++found;
    T object = fresh;
    EXPECT_EQ(testing::loaded(description, object, record.payload), "") << record.head.idstr;
    DescriptionText text;
    text.begin_object();
    text.string("name", record.head.idstr);
    text.integer("instance_id", record.head.instance_id);
    EXPECT_EQ(testing::saved(description, object, {.text = &text}),
              Bytes(record.payload.begin(), record.payload.end()));
    text.end_object();
    EXPECT_EQ(text.text(), described(*parsed.document.description, record.head.idstr));
  }
}

TEST_P(Capture, KnownSectionsLoadAndSaveByOurOwnDescriptions) {
  ParsedMainStream parsed = parse_main_stream(bytes_);
  std::string path = GetParam();
  VfioCprPci device;
  device.function.is_express = !path.contains("edu");
  device.function.msix_vectors = path.contains("edu") ? 0 : kIgbVectors;
  int devices = 0;
  int states = 0;
  int containers = 0;
  int backends = 0;
  if (!path.contains("two")) expect_same_section(parsed, "/vfio-cpr-pci", kVfioCprPci, device, devices);
  expect_same_section(parsed, "globalstate", kGlobalState, GlobalState{}, states);
  expect_same_section(parsed, "vfio-container", kVfioContainer, VfioContainerSection{}, containers);
  expect_same_section(parsed, "iommufd", kIommufd, IommufdSection{}, backends);
  EXPECT_EQ(states, 1);
  EXPECT_EQ(containers, path.contains("/legacy") ? 1 : 0);
  EXPECT_EQ(backends, path.contains("/iommufd") ? 1 : 0);
  EXPECT_EQ(devices, path.contains("/vfio/") && !path.contains("two") ? 1 : 0);
}

TEST_P(Capture, TheConfigurationAgreesWithItself) {
  wire::Reader in(bytes_);
  Configuration configuration;
  ASSERT_TRUE(read_main_header(in));
  ASSERT_TRUE(read_configuration(in, configuration));
  EXPECT_TRUE(agree(configuration, configuration));
  DescriptionText text;
  text.begin_object();
  text.begin_object("configuration");
  Bytes again = testing::saved(kConfiguration, configuration, {.text = &text});
  text.end_object();
  EXPECT_EQ(again, Bytes(bytes_.begin() + 9, bytes_.begin() + static_cast<std::ptrdiff_t>(in.offset())));
  EXPECT_TRUE(find_vmdescription(bytes_)->starts_with(text.text())) << text.text();
}

INSTANTIATE_TEST_SUITE_P(Corpus, Capture, ::testing::ValuesIn(testing::main_captures()), [](const auto& each) {
  std::string name = each.param.filename().string();
  return name.substr(0, name.find('.'));
});

TEST(Captures, AreThere) {
  EXPECT_GE(testing::main_captures().size(), 14u);
}

TEST(Captures, AFieldOfAPassthroughDeviceIsReadable) {
  Bytes bytes = testing::read_file(VCPR_SOURCE_DIR "/corpus/captures/vfio/legacy_igb_kvm_transfer.main.bin");
  FieldList seen;
  dissect_main_stream(bytes, seen);
  EXPECT_EQ(seen.value("/vfio-cpr-pci.parent_obj[0].config[1]"),
            "vendor 8086 device 10c9 command 0006 status 0010, 4096 bytes");
  EXPECT_EQ(seen.value("/vfio-cpr-pci.parent_obj[0].version_id"), "2");
  EXPECT_EQ(seen.value("/globalstate.runstate"), "\"running\"");
  EXPECT_EQ(seen.value("/ram.block.used_length"), "134217728 (0x8000000)");
}

TEST(Captures, RamOfAHandoverIsOnlyItsBlocks) {
  Bytes bytes = testing::read_file(VCPR_SOURCE_DIR "/corpus/captures/a_min_q35.main.bin");
  const ParsedMainStream parsed = parse_main_stream(bytes);
  wire::Reader in(parsed.document.records[0].payload);
  RamContext context;
  auto part = read_ram_part(in, context);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->pages, 0u);
  wire::Outbox out;
  wire::Writer writer(out);
  ASSERT_TRUE(write_ram_setup(part->blocks, writer));
  EXPECT_TRUE(std::ranges::equal(out.bytes, parsed.document.records[0].payload));
}

TEST(Captures, PagesOfARebootAreCounted) {
  Bytes bytes = testing::read_file(VCPR_SOURCE_DIR "/corpus/captures/p_file_cpr_reboot.main.bin");
  const ParsedMainStream parsed = parse_main_stream(bytes);
  RamContext context;
  std::uint64_t pages = 0;
  for (const MainRecord& record : parsed.document.records) {
    if (!record.head.is_section() || record.head.type == SectionType::full) continue;
    wire::Reader in(record.payload);
    pages += read_ram_part(in, context)->pages;
  }
  EXPECT_EQ(pages, 16464u + 50u) << "duplicate and normal, as QEMU counted them when it was recorded";
}

}  // namespace
}  // namespace vcpr::vmstate
