// The main stream: what is written, byte for byte, and everything a strict reader refuses.
#include "engine/vmstate/main_stream.hpp"

#include <functional>
#include <gtest/gtest.h>

#include "engine/vmstate/dissect.hpp"
#include "engine/vmstate/main_stream_document.hpp"
#include "engine/vmstate/sections/global_state.hpp"
#include "engine/vmstate/sections/iommufd.hpp"
#include "engine/vmstate/sections/ram.hpp"
#include "engine/vmstate/sections/vfio_container.hpp"
#include "engine/vmstate/stream_testing.hpp"

namespace vcpr::vmstate {
namespace {

using testing::Bytes;
using testing::hex;
using testing::stream;

constexpr std::uint64_t kMegabyte = 1u << 20;

/// A VM with one block of RAM, its run state, a container and an iommufd.
struct Vm {
  Configuration configuration;
  RamSection ram;
  VfioContainerSection container;
  IommufdSection iommufd;
  GlobalState state;
  SectionTable sections;

  explicit Vm(std::optional<std::uint64_t> ram_address = {})
      : ram({{.name = "pc.ram", .used_length = 256 * kMegabyte, .address = ram_address}}) {
    configuration.machine = "pc-q35-10.2";
    EXPECT_TRUE(sections.add_iterable("ram", 0, kRamVersion, ram));
    EXPECT_TRUE(sections.add("vfio-container", 0, kVfioContainer, container));
    EXPECT_TRUE(sections.add("iommufd", 0, kIommufd, iommufd));
    EXPECT_TRUE(sections.add("globalstate", 0, kGlobalState, state));
  }
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  Bytes save(const MainSaveOptions& options = {}) {
    wire::Outbox out;
    wire::Writer writer(out);
    auto done = save_main_stream(configuration, sections, options, writer);
    EXPECT_TRUE(done) << done.error().message();
    return out.bytes;
  }
  std::string load(std::span<const std::byte> bytes, MainStreamFacts* facts = nullptr) {
    wire::Reader in(bytes);
    auto loaded = load_main_stream(configuration, sections, in);
    if (loaded && facts != nullptr) *facts = *loaded;
    return loaded ? "" : loaded.error().message();
  }
};

constexpr std::string_view kHeader = "51 45 56 4d 00000003  07 0000000b 'pc-q35-10.2' ";
constexpr std::string_view kReturnPath = "08 0001 0000  08 0002 0004 00000001 ";
constexpr std::string_view kRamStart =
    "01 00000000 03 'ram' 00000000 00000004  0000000010000004 06 'pc.ram' 0000000010000000 0000000000000010  "
    "7e 00000000 ";
constexpr std::string_view kSwitchover = "08 000b 0000 ";
constexpr std::string_view kRamEnd = "03 00000000 0000000000000010 7e 00000000 ";
constexpr std::string_view kIommufdSection = "04 00000002 07 'iommufd' 00000000 00000000 7e 00000002 ";
constexpr std::string_view kContainerSection = "04 00000001 0e 'vfio-container' 00000000 00000000 7e 00000001 ";

std::string global_state_section() {
  return "04 00000003 0b 'globalstate' 00000000 00000001  00000008 'running'" + std::string(2 * 25, '0') + "01 00" +
         std::string(2 * 66, '0') + "7e 00000003 ";
}
std::string join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (std::string_view part : parts) text += part;
  return text;
}
/// The stream of the Vm above without a vmdescription.
std::string plain() {
  return join(
      {kHeader, kRamStart, kSwitchover, kRamEnd, kIommufdSection, global_state_section(), kContainerSection, "00"});
}

TEST(MainStream, IsWrittenInTheOrderThatLoadsSafely) {
  Vm vm;
  vm.state = GlobalState::of("running");
  vm.state.has_vm_was_suspended = true;
  EXPECT_EQ(hex(vm.save({.describe = false})), hex(stream(plain()))) << "low priority last";
  Bytes with_return_path = vm.save({.open_return_path = true, .describe = false});
  EXPECT_TRUE(hex(with_return_path).starts_with(hex(stream(join({kHeader, kReturnPath, kRamStart})))));
}

TEST(MainStream, ComesBackWithItsFacts) {
  Vm old;
  old.state = GlobalState::of("paused");
  Bytes bytes = old.save({.open_return_path = true});
  Vm fresh;
  MainStreamFacts facts;
  ASSERT_EQ(fresh.load(bytes, &facts), "");
  EXPECT_EQ(fresh.state.text(), "paused");
  EXPECT_TRUE(facts.opens_return_path && facts.has_switchover_start && facts.is_described);
  EXPECT_EQ(facts.pings, std::vector<std::uint32_t>{1});
  EXPECT_EQ(old.save({.open_return_path = true}), bytes);
}

TEST(MainStream, DescribesItselfWellEnoughToBeTakenApart) {
  Vm vm;
  vm.state = GlobalState::of("running");
  Bytes bytes = vm.save();
  testing::FieldList seen;
  Dissection dissection = dissect_main_stream(bytes, seen);
  EXPECT_EQ(dissection.error, std::nullopt);
  EXPECT_EQ(seen.covered(), bytes.size());
  EXPECT_EQ(encode_main_stream(parse_main_stream(bytes).document), bytes);
}

TEST(MainStream, EveryTruncationIsRefusedButTheOneBeforeTheDescription) {
  Vm vm;
  vm.state = GlobalState::of("running");
  Bytes bytes = vm.save();
  std::size_t plain_size = vm.save({.describe = false}).size();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Vm fresh;
    EXPECT_EQ(fresh.load(std::span(bytes).first(size)).empty(), size == plain_size) << size;
  }
}

TEST(MainStream, NoCorruptedByteIsFatal) {
  Vm vm;
  vm.state = GlobalState::of("running");
  const Bytes good = vm.save();
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= std::byte{0xff};
    Vm fresh;
    (void)fresh.load(bad);
    testing::FieldList seen;
    (void)dissect_main_stream(bad, seen);
  }
}

std::string refusal(const std::string& text) {
  Vm fresh;
  return fresh.load(stream(text));
}

TEST(MainStream, TheHandWrittenStreamIsGood) {
  EXPECT_EQ(refusal(plain()), "");
}

TEST(MainStream, HeaderAndConfigurationAreChecked) {
  EXPECT_EQ(refusal("51435052 00000001"), "bad_magic at byte 0: this is not a migration stream");
  EXPECT_EQ(refusal("5145564d 00000002"), "bad_version at byte 4: stream version 2, not 3");
  EXPECT_EQ(refusal("5145564d 00000003 04"), "unknown_section at byte 8: byte 4 where the configuration begins");
  EXPECT_EQ(refusal("5145564d 00000003 07 00000007 'microvm' 00"),
            "bad_value at byte 8: the machine type is \"microvm\" in the stream and \"pc-q35-10.2\" here");
  EXPECT_EQ(refusal(join({kHeader, "05 1a 'configuration/capabilities' 00000001 00000001 0f 'x-ignore-shared' 00"})),
            "bad_value at byte 8: a capability is \"x-ignore-shared\" in the stream and \"off\" here");
  EXPECT_EQ(refusal(join({kHeader, "05 1a 'configuration/capabilities' 00000001 ffffffff"})),
            "bad_length at byte 60: configuration: configuration/capabilities/capabilities: 4294967295 times 1 is more "
            "than 32");
}

TEST(MainStream, ACapabilityThatLaysRamOutOtherwiseIsRefusedThoughItIsOnHere) {
  Vm vm;
  vm.configuration.add_capability(kMappedRam);
  EXPECT_EQ(vm.load(stream(join({kHeader, "05 1a 'configuration/capabilities' 00000001 00000001 0a 'mapped-ram' 00"}))),
            "bad_value at byte 8: the capability mapped-ram lays RAM out in another way");
}

/// Of a machine whose target pages have 2^12 bytes, or as told, with the UUID 01 01 ... 01, or as told.
std::string configured(std::string_view page_bits, std::string_view uuid_bytes) {
  Vm vm;
  vm.configuration.target_page_bits = 12;
  vm.configuration.has_uuid = true;
  vm.configuration.uuid.fill(std::byte{1});
  std::string text = join({kHeader, "05 1e 'configuration/target-page-bits' 00000001 ", page_bits,
                           "05 12 'configuration/uuid' 00000001 ", uuid_bytes});
  return vm.load(stream(text + plain().substr(kHeader.size())));
}

TEST(MainStream, PageBitsAndUuidAreThisSides) {
  const std::string ones = "01010101 01010101 01010101 01010101 ";
  EXPECT_EQ(configured("0000000c ", ones), "");
  EXPECT_EQ(configured("0000000e ", ones),
            "bad_value at byte 8: target-page-bits is \"14\" in the stream and \"12\" here");
  EXPECT_EQ(configured("0000000c ", "01010101 01010101 01010101 01010102 "),
            "bad_value at byte 8: the uuid in the stream is not that of this machine");
  EXPECT_EQ(configured("00000011 ", ones),
            "bad_value at byte 60: configuration: configuration/target-page-bits/target_page_bits: 17 is more than 16");
}

TEST(MainStream, AMachineWithAUuidTakesAStreamWithout) {
  Vm vm;
  vm.configuration.has_uuid = true;
  EXPECT_EQ(vm.load(stream(plain())), "");
}

TEST(MainStream, WithSharedRamIgnoredTheBlocksHaveAddresses) {
  constexpr std::uint64_t kAddress = 0x1'0000'0000;
  Vm old(kAddress);
  old.state = GlobalState::of("running");
  old.configuration.add_capability(kIgnoreShared);
  const Bytes bytes = old.save({.describe = false});
  EXPECT_NE(hex(bytes).find(hex(stream("06 'pc.ram' 0000000010000000 0000000100000000 0000000000000010"))),
            std::string::npos);
  Vm fresh(kAddress);
  fresh.configuration.add_capability(kIgnoreShared);
  EXPECT_EQ(fresh.load(bytes), "");
  Vm elsewhere(0);
  elsewhere.configuration.add_capability(kIgnoreShared);
  EXPECT_EQ(elsewhere.load(bytes),
            "bad_value at byte 93: \"ram\" instance 0: RAM block \"pc.ram\": at address 4294967296, here 0");
}

TEST(MainStream, SectionsArriveExactlyOnce) {
  EXPECT_EQ(refusal(join({kHeader, "04 00000009 03 'cpu' 00000000 00000001"})),
            "unknown_section at byte 24: nothing here takes the FULL section \"cpu\" instance 0");
  EXPECT_EQ(refusal(join({kHeader, kIommufdSection, "04 00000009 07 'iommufd' 00000000 00000000 7e 00000009"})),
            "duplicate_section at byte 50: \"iommufd\" instance 0 came before");
  EXPECT_EQ(refusal(join({kHeader, kIommufdSection, "04 00000002 0e 'vfio-container' 00000000 00000000"})),
            "duplicate_section at byte 50: \"vfio-container\" instance 0: section id 2 is taken");
  EXPECT_EQ(refusal(join({kHeader, kRamStart, kRamEnd, kIommufdSection, kContainerSection, "00"})),
            "missing_section at byte 154: \"globalstate\" instance 0 did not come");
  EXPECT_EQ(refusal(join({kHeader, kRamStart, kIommufdSection, global_state_section(), kContainerSection, "00"})),
            "missing_section at byte 270: \"ram\" instance 0 has no END");
  EXPECT_EQ(refusal(join({kHeader, kRamStart, kRamEnd, kRamEnd})),
            "unknown_section at byte 95: no open section has id 0");
  EXPECT_EQ(refusal(join({kHeader, kRamEnd})), "unknown_section at byte 24: no open section has id 0");
}

TEST(MainStream, VersionsAndFootersAreChecked) {
  EXPECT_EQ(refusal(join({kHeader, "04 00000002 07 'iommufd' 00000000 00000001"})),
            "bad_version at byte 24: \"iommufd\" instance 0: version 1 is newer than 0");
  EXPECT_EQ(refusal(join({kHeader, "04 00000002 07 'iommufd' 00000000 00000000 00"})),
            "bad_footer at byte 45: byte 0 where the footer of section 2 begins");
  EXPECT_EQ(refusal(join({kHeader, "04 00000002 07 'iommufd' 00000000 00000000 7e 00000003"})),
            "bad_footer at byte 46: the footer of section 3 ends section 2");
}

TEST(MainStream, CommandsHaveTheirLengthAndTheirPlace) {
  EXPECT_EQ(refusal(join({kHeader, "08 000b 0001 00"})), "bad_command at byte 27: SWITCHOVER_START has 0 bytes, not 1");
  EXPECT_EQ(refusal(join({kHeader, "08 000c 0000"})), "bad_command at byte 25: no command has number 12");
  EXPECT_EQ(refusal(join({kHeader, "08 0000 0000"})), "bad_command at byte 25: no command has number 0");
  EXPECT_EQ(refusal(join({kHeader, "08 0004 0000"})), "bad_command at byte 24: POSTCOPY_LISTEN has no place in CPR");
  EXPECT_EQ(refusal(join({kHeader, "05"})), "unknown_section at byte 24: byte 5 opens no section");
}

TEST(MainStream, RamIsThisSides) {
  auto with_ram = [](std::string_view records) {
    return refusal(join({kHeader, "01 00000000 03 'ram' 00000000 00000004 ", records}));
  };
  EXPECT_EQ(with_ram("0000000010000004 06 'pc.rom' 0000000010000000 0000000000000010"),
            "bad_value at byte 41: \"ram\" instance 0: RAM block \"pc.ram\" did not come once");
  EXPECT_EQ(with_ram("0000000010001004 06 'pc.ram' 0000000010000000 06 'pc.rom' 0000000000001000 0000000000000010"),
            "bad_value at byte 41: \"ram\" instance 0: RAM block \"pc.rom\" is unknown");
  EXPECT_EQ(with_ram("0000000010001004 06 'pc.ram' 0000000010001000 0000000000000010"),
            "bad_value at byte 41: \"ram\" instance 0: RAM block \"pc.ram\": 268439552 bytes, here 268435456");
  EXPECT_TRUE(with_ram("0000000000000002 06 'pc.ram' 00 0000000000000010").starts_with("bad_value at byte 41: "));
  EXPECT_EQ(with_ram("0000000000000022 00"),
            "bad_value at byte 49: \"ram\" instance 0: a page of the same block before any block was named");
  EXPECT_EQ(with_ram("0000000000000080"), "bad_value at byte 41: \"ram\" instance 0: record flags 128");
  EXPECT_EQ(with_ram("0000000000001004 01 'a' 0000000000002000"),
            "bad_value at byte 49: \"ram\" instance 0: a RAM block of 8192 bytes where 4096 are left of the total");
}

TEST(MainStream, TheDescriptionMustBeJsonAndAgree) {
  Vm vm;
  vm.state = GlobalState::of("running");
  Bytes good = vm.save();
  auto replaced = [&good](std::string_view from, std::string_view to) {
    std::string text(reinterpret_cast<const char*>(good.data()), good.size());
    text.replace(text.rfind(from), from.size(), to);
    auto bytes = std::as_bytes(std::span(text));
    Vm fresh;
    return fresh.load(Bytes(bytes.begin(), bytes.end()));
  };
  EXPECT_TRUE(replaced("\"devices\"", "\"devicez\"").ends_with("\"devices\" is missing"));
  EXPECT_TRUE(
      replaced("\"size\": 66", "\"size\": 65").ends_with("does not describe \"globalstate\" instance 0 as it came"));
  EXPECT_TRUE(replaced("\"vfio-container\", \"instance_id\": 0", "\"vfio-container\", \"instance_id\": 1")
                  .starts_with("bad_description"));
  EXPECT_TRUE(replaced("[]}]}", "[]}]x").starts_with("bad_description at byte "));
}

TEST(MainStream, NothingFollowsTheDescription) {
  EXPECT_EQ(refusal(plain() + "07"), "trailing_bytes at byte 294: byte 7 after the end of the sections");
  Vm vm;
  vm.state = GlobalState::of("running");
  Bytes bytes = vm.save();
  bytes.push_back(std::byte{0});
  Vm fresh;
  EXPECT_TRUE(fresh.load(bytes).starts_with("trailing_bytes at byte "));
  EXPECT_EQ(refusal(plain() + "06 7fffffff"), "too_long at byte 295: a vmdescription of 2147483647 bytes");
}

TEST(MainStream, TheRunStateEndsWithinItsField) {
  GlobalState state;
  std::string tail = std::string(2 * 66, '0');
  EXPECT_EQ(testing::loaded(kGlobalState, state, stream("00000020 '12345678901234567890123456789012' 0000" + tail)),
            "bad_text at byte 0: runstate: does not end with NUL");
  EXPECT_EQ(testing::loaded(kGlobalState, state, stream("00000009 'running'" + std::string(50, '0') + "0000" + tail)),
            "bad_length at byte 0: size: 9 for \"running\"");
}

TEST(SectionTable, KeysAreUnique) {
  SectionTable table;
  IommufdSection one;
  IommufdSection two;
  EXPECT_TRUE(table.add("iommufd", 0, kIommufd, one));
  EXPECT_EQ(table.add("iommufd", 0, kIommufd, two).error().code, ErrorCode::duplicate_key);
  EXPECT_EQ(table.add("", 0, kIommufd, two).error().code, ErrorCode::bad_length);
  EXPECT_TRUE(table.add("iommufd", 1, kIommufd, two));
  EXPECT_EQ(table.find("iommufd", 1)->object, &two);
  EXPECT_EQ(table.find("iommufd", 2), nullptr);
}

TEST(SectionTable, ARemovedSectionLeavesTheOthersTheirIds) {
  Vm vm;
  IommufdSection late;
  ASSERT_TRUE(vm.sections.remove("vfio-container", 0));
  ASSERT_TRUE(vm.sections.add("vfio-container", 0, kVfioContainer, vm.container));
  ASSERT_TRUE(vm.sections.add("iommufd", 7, kIommufd, late));
  EXPECT_EQ(vm.sections.find("globalstate", 0)->section_id, 3u);
  EXPECT_EQ(vm.sections.find("vfio-container", 0)->section_id, 4u) << "1 is not used again";
  EXPECT_EQ(vm.sections.find("iommufd", 7)->section_id, 5u);
  for (std::size_t position = 0; position < vm.sections.size(); ++position) {
    EXPECT_EQ(vm.sections.position_of(vm.sections[position]), position);
  }
  auto refused = vm.sections.remove("iommufd", 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "missing_key: section \"iommufd\" instance 1 is not registered");
}

/// The objects of the instances of an idstr, from 0, as many as there are without a gap.
std::vector<void*> instances(const SectionTable& table, std::string_view idstr) {
  std::vector<void*> objects;
  while (const Section* section = table.find(idstr, static_cast<std::uint32_t>(objects.size())))
    objects.push_back(section->object);
  return objects;
}

TEST(SectionTable, CountedInstancesHaveNoGap) {
  SectionTable table;
  IommufdSection some[5];
  VfioContainerSection other;
  for (IommufdSection& each : some) ASSERT_TRUE(table.add_counted(kIommufd, each));
  ASSERT_TRUE(table.add_counted(kVfioContainer, other));
  table.remove_counted("iommufd", &some[0]);
  table.remove_counted("iommufd", &some[3]);
  table.remove_counted("iommufd", &some[3]);
  EXPECT_EQ(instances(table, "iommufd"), (std::vector<void*>{&some[1], &some[2], &some[4]}));
  ASSERT_TRUE(table.add_counted(kIommufd, some[0]));
  EXPECT_EQ(instances(table, "iommufd"), (std::vector<void*>{&some[1], &some[2], &some[4], &some[0]}));
  // By its own name, which goes with it.
  EXPECT_TRUE(table.remove(table.find("iommufd", 1)->idstr, 1));
  EXPECT_EQ(instances(table, "iommufd"), (std::vector<void*>{&some[1], &some[4], &some[0]}));
  EXPECT_EQ(instances(table, "vfio-container"), (std::vector<void*>{&other}));
  EXPECT_EQ(table.size(), 4u);
}

TEST(SectionTable, InstancesThatWereGivenKeepTheirNumbers) {
  SectionTable table;
  IommufdSection some[2];
  ASSERT_TRUE(table.add("iommufd", 1, kIommufd, some[0]) && table.add("iommufd", 2, kIommufd, some[1]));
  ASSERT_TRUE(table.remove("iommufd", 1));
  EXPECT_EQ(table.find("iommufd", 2)->object, &some[1]);
}

TEST(SectionTable, WhatIsLeftIsSavedAndLoadsWhereTheSameIsLeft) {
  for (const char* idstr : {"ram", "vfio-container", "iommufd", "globalstate"}) {
    SCOPED_TRACE(idstr);
    Vm old, same, whole;
    old.state = GlobalState::of("paused");
    ASSERT_TRUE(old.sections.remove(idstr, 0) && same.sections.remove(idstr, 0));
    Bytes bytes = old.save();
    EXPECT_EQ(same.load(bytes), "");
    EXPECT_TRUE(whole.load(bytes).starts_with("missing_section")) << whole.load(bytes);
    EXPECT_TRUE(same.load(whole.save()).starts_with("unknown_section")) << same.load(whole.save());
  }
}

TEST(SectionTable, AStreamLoadsWhateverIdsTheSectionsHaveHere) {
  Vm old, renumbered;
  old.state = GlobalState::of("paused");
  ASSERT_TRUE(renumbered.sections.remove("ram", 0) && renumbered.sections.remove("iommufd", 0));
  ASSERT_TRUE(renumbered.sections.add("iommufd", 0, kIommufd, renumbered.iommufd));
  ASSERT_TRUE(renumbered.sections.add_iterable("ram", 0, kRamVersion, renumbered.ram));
  EXPECT_EQ(renumbered.load(old.save()), "");
  EXPECT_EQ(renumbered.state.text(), "paused");
  Vm fresh;
  EXPECT_EQ(fresh.load(renumbered.save()), "") << "and the other way round";
}

}  // namespace
}  // namespace vcpr::vmstate
