// Guest IOMMUs and discard managers through a stream, and the streams that lie about them.
#include <gtest/gtest.h>

#include "engine/lifecycle/life_testing.hpp"
#include "engine/memory/discard_section.hpp"
#include "engine/memory/guest_iommu_section.hpp"
#include "engine/memory/memory_testing.hpp"
#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/main_stream.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::memory {
namespace {

using Bytes = std::vector<std::byte>;
using lifecycle::Mode;
using lifecycle::TestLife;

constexpr std::uint64_t kUnit = 2 * kPageBytes;
constexpr std::uint64_t kUnits = 70;

vmstate::Configuration configuration() {
  vmstate::Configuration same;
  same.machine = "vcpr";
  return same;
}

// What a peer can write that keeps none of our limits.
constexpr vmstate::Field kLooseNameFields[] = {vmstate::counted_name<&BlockName::name>("name", 4096)};
constexpr auto kLooseName = vmstate::describe<BlockName>("guest-iommu/block", 1, kLooseNameFields);
constexpr vmstate::Field kLooseFields[] = {
    vmstate::vector_list<&IommuPieces::blocks>("blocks", kLooseName, 1u << 20),
    vmstate::field<&IommuPieces::count>("count"),
    vmstate::struct_varray<&IommuPieces::pieces, &IommuPieces::count>("mappings", kIommuPiece).limit(1u << 20),
};
constexpr auto kLoose = vmstate::describe<IommuPieces>("guest-iommu", 1, kLooseFields).at(vmstate::Priority::iommu);

/// One side: a block, a guest IOMMU, a discard manager of 70 units, and their sections.
struct Side {
  explicit Side(machine::Machine& machine, std::string block_name = "ram") : vm(machine.spawn().kernel()) {
    block = blocks.allocate(block_name, kUnits * kUnit).value_or(nullptr);
    EXPECT_NE(block, nullptr);
    iommu.listen(noting);
    discards.listen(noting);
  }

  Bytes save() {
    EXPECT_TRUE(vm.life.participants.let_go(Mode::cpr_transfer));
    wire::Outbox out;
    wire::Writer writer(out);
    EXPECT_TRUE(vmstate::save_main_stream(configuration(), vm.life.sections, {}, writer));
    EXPECT_TRUE(vm.life.participants.take_back());
    return out.bytes;
  }
  /// Loads, checks, takes over; the first error.
  Expected<void> arrive(const Bytes& bytes) {
    wire::Reader in(bytes);
    auto loaded = vmstate::load_main_stream(configuration(), vm.life.sections, in);
    if (!loaded) return std::unexpected(loaded.error());
    auto checked = vm.life.participants.check_loaded(Mode::cpr_transfer);
    EXPECT_EQ(heard, std::vector<std::string>{}) << "a check has no effect";
    return checked ? vm.life.participants.take_over(Mode::cpr_transfer) : checked;
  }

  TestLife vm;
  RamBlocks blocks{vm.life};
  RamBlock* block = nullptr;
  std::vector<std::string> heard;
  NotingListener noting{"n", heard};
  GuestIommu iommu;
  DiscardManager discards{kUnits * kUnit, kUnit};
  std::unique_ptr<GuestIommuSection> mappings = GuestIommuSection::attach(vm.life, iommu, blocks, "iommu").value();
  std::unique_ptr<DiscardSection> units = DiscardSection::attach(vm.life, discards, "virtio-mem").value();
};

struct MemorySectionsTest : testing::Test {
  machine::Machine machine;
  Side old{machine};
  Side fresh{machine};

  /// What a peer sends whose sections are these.
  Bytes lie(IommuPieces pieces, PopulatedUnits units = whole()) {
    vmstate::SectionTable sections;
    EXPECT_TRUE(sections.add("iommu", 0, kLoose, pieces) && sections.add("virtio-mem", 0, kPopulatedUnits, units));
    wire::Outbox out;
    wire::Writer writer(out);
    EXPECT_TRUE(vmstate::save_main_stream(configuration(), sections, {}, writer));
    return out.bytes;
  }
  static PopulatedUnits whole() { return {.size = kUnits * kUnit, .granularity = kUnit, .words = {0, 0}}; }
  static IommuPieces of(std::vector<IommuPiece> pieces, std::vector<BlockName> blocks = {{"ram"}}) {
    auto count = static_cast<std::uint32_t>(pieces.size());
    return {.blocks = std::move(blocks), .count = count, .pieces = std::move(pieces)};
  }
};

TEST_F(MemorySectionsTest, WhatThereWasIsThereAgainAndListenersHearOfIt) {
  ASSERT_TRUE(old.iommu.map({.iova = 0x4000, .size = 0x2000, .block = old.block, .offset = 0x1000}));
  ASSERT_TRUE(old.iommu.map({.iova = 0x1000, .size = 0x1000, .block = old.block, .offset = 0, .read_only = true}));
  for (std::uint64_t unit : {0u, 63u, 64u, 69u}) ASSERT_TRUE(old.discards.populate(unit * kUnit, kUnit));
  auto arrived = fresh.arrive(old.save());
  ASSERT_TRUE(arrived) << arrived.error().message();
  EXPECT_EQ(fresh.heard, (std::vector<std::string>{"n+1000", "n+4000", "n+0", "n+7e000", "n+80000", "n+8a000"}));
  EXPECT_EQ(fresh.iommu.mappings().at(0x4000).block, fresh.block);
  EXPECT_EQ(fresh.iommu.mappings().at(0x4000).offset, 0x1000u);
  EXPECT_FALSE(fresh.iommu.mappings().at(0x4000).read_only);
  EXPECT_TRUE(fresh.iommu.mappings().at(0x1000).read_only);
  EXPECT_EQ(fresh.save(), old.save()) << "a second handover tells the same";
}

/// In hexadecimal, without spaces.
template <class T>
std::string saved(const vmstate::DescriptionOf<T>& description, const T& state) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  wire::Outbox out;
  wire::Writer writer(out);
  EXPECT_TRUE(vmstate::save(description, state, writer));
  std::string text;
  for (std::byte each : out.bytes) {
    auto value = std::to_integer<unsigned>(each);
    text += {kDigits[value / 16], kDigits[value % 16]};
  }
  return text;
}

TEST_F(MemorySectionsTest, AreWrittenAsFormatSays) {
  IommuPiece read_only{.iova = 0x4000, .size = 0x2000, .offset = 0x1000, .block = 1, .read_only = true};
  EXPECT_EQ(saved(kGuestIommu, of({read_only}, {{"ram"}, {"rom"}})),
            "0100000004"
            "72616d00"
            "0100000004"
            "726f6d00"
            "00"
            "00000001"
            "0000000000004000"
            "0000000000002000"
            "0000000000001000"
            "00000001"
            "01");
  PopulatedUnits units = whole();
  units.words = {1, 0x20};
  EXPECT_EQ(saved(kPopulatedUnits, units),
            "000000000008c000"
            "0000000000002000"
            "0000000000000001"
            "0000000000000020");
}

TEST_F(MemorySectionsTest, AnotherAttemptTellsWhatThereIsThen) {
  ASSERT_TRUE(old.iommu.map({.iova = 0x1000, .size = 0x1000, .block = old.block}) &&
              old.discards.populate(0, 2 * kUnit));
  old.save();
  ASSERT_TRUE(old.iommu.unmap(0x1000) && old.discards.discard(0, kUnit));
  ASSERT_TRUE(old.iommu.map({.iova = 0x9000, .size = 0x1000, .block = old.block}));
  EXPECT_TRUE(fresh.arrive(old.save()));
  EXPECT_EQ(fresh.heard, (std::vector<std::string>{"n+9000", "n+2000"}));
}

TEST_F(MemorySectionsTest, AMappingThatCannotBeHereIsRefusedWithoutEffect) {
  const IommuPieces lies[] = {
      of({{.iova = 0x1000, .size = 0}}),
      of({{.iova = 0x1800, .size = 0x1000}}),
      of({{.iova = 0xffff'ffff'ffff'f000, .size = 0x2000}}),
      of({{.iova = 0x1000, .size = 0x1000, .offset = kUnits * kUnit}}),
      of({{.iova = 0x1000, .size = 0x1000, .offset = 0xffff'ffff'ffff'f000}}),
      of({{.iova = 0x1000, .size = 0x2000}, {.iova = 0x2000, .size = 0x1000}}),
      of({{.iova = 0x1000, .size = 0x1000, .block = 1}}),
      of({{.iova = 0x1000, .size = 0x1000}}, {}),
      of({}, {{"ram"}, {"rom"}}),
  };
  for (const IommuPieces& each : lies) {
    SCOPED_TRACE(&each - lies);
    auto refused = fresh.arrive(lie(each));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::bad_value);
    EXPECT_TRUE(refused.error().text.starts_with("guest IOMMU \"iommu\": ")) << refused.error().text;
    EXPECT_TRUE(fresh.iommu.mappings().empty());
  }
}

TEST_F(MemorySectionsTest, AStreamThatKeepsNoLimitIsRefusedAtItsByte) {
  std::vector<IommuPiece> pieces(kMaxIommuMappings);
  for (std::size_t index = 0; index < pieces.size(); ++index) pieces[index] = {.iova = index << 12, .size = 0x1000};
  const IommuPieces most = of(pieces);
  pieces.push_back({.iova = kMaxIommuMappings << 12, .size = 0x1000});
  for (const IommuPieces& each : {of(pieces), of({}, {{std::string(kMaxBlockNameBytes + 1, 'n')}}),
                                  of({}, std::vector<BlockName>(kMaxRamBlocks + 1, {"ram"}))}) {
    auto refused = fresh.arrive(lie(each));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().offset.has_value()) << refused.error().message();
  }
  auto arrived = Side(machine).arrive(lie(most));
  EXPECT_TRUE(arrived) << arrived.error().message();
}

TEST_F(MemorySectionsTest, AnotherShapeOfABlockIsRefusedAtItsByte) {
  PopulatedUnits smaller = whole(), coarser = whole();
  smaller.size = 64 * kUnit;
  smaller.words = {0};
  coarser.granularity = 2 * kUnit;
  coarser.words = {0};
  for (const PopulatedUnits& each : {smaller, coarser}) {
    auto refused = fresh.arrive(lie({}, each));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::bad_value);
    EXPECT_TRUE(refused.error().offset.has_value());
    EXPECT_NE(refused.error().text.find(" is not "), std::string::npos) << refused.error().text;
  }
}

TEST_F(MemorySectionsTest, ABitBeyondTheLastUnitIsRefused) {
  PopulatedUnits lying = whole();
  lying.words[1] = 1u << (kUnits - kUnitsOfWord);
  auto refused = fresh.arrive(lie({}, lying));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "discard manager \"virtio-mem\": unit 70 is populated, here are 70");
  lying.words[1] >>= 1;
  EXPECT_TRUE(fresh.arrive(lie({}, lying)));
}

TEST_F(MemorySectionsTest, ASideThatHasMappingsOrUnitsAlreadyTakesNoOthers) {
  ASSERT_TRUE(fresh.iommu.map({.iova = 0, .size = 0x1000, .block = fresh.block}));
  fresh.heard.clear();
  EXPECT_REFUSED(fresh.arrive(old.save()), ErrorCode::bad_state);
  Side other(machine);
  ASSERT_TRUE(other.discards.populate(0, kUnit));
  other.heard.clear();
  EXPECT_REFUSED(other.arrive(old.save()), ErrorCode::bad_state);
}

TEST_F(MemorySectionsTest, AListenersRefusalIsTheAnswer) {
  ASSERT_TRUE(old.iommu.map({.iova = 0x1000, .size = 0x1000, .block = old.block}));
  fresh.noting.agrees = 0;
  EXPECT_REFUSED(fresh.arrive(old.save()), ErrorCode::os_error);
}

TEST_F(MemorySectionsTest, ADetachedSectionIsNeitherSavedNorAsked) {
  EXPECT_REFUSED(GuestIommuSection::attach(old.vm.life, old.iommu, old.blocks, "iommu"), ErrorCode::duplicate_key);
  EXPECT_REFUSED(DiscardSection::attach(old.vm.life, old.discards, "virtio-mem"), ErrorCode::duplicate_key);
  EXPECT_EQ(old.vm.life.sections.size(), 2u) << "a refusal takes nothing away";
  old.mappings.reset();
  old.units.reset();
  EXPECT_EQ(old.vm.life.sections.size(), 0u);
  EXPECT_EQ(old.vm.life.participants.size(), 0u);
}

}  // namespace
}  // namespace vcpr::memory
