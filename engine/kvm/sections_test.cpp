// The sections of the interrupt controllers: those a real QEMU recorded, byte for byte, and the way from KVM's pages to
// the fields and back.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>

#include "engine/kvm/sections/apic.hpp"
#include "engine/kvm/sections/i8259.hpp"
#include "engine/kvm/sections/ioapic.hpp"
#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/main_stream_document.hpp"
#include "source_dir.hpp"

namespace vcpr::kvm {
namespace {

namespace abi = os::abi;
using Bytes = std::vector<std::byte>;

template <class T>
Bytes saved(const vmstate::DescriptionOf<T>& description, const T& object, vmstate::DescriptionText* text = nullptr) {
  wire::Outbox out;
  wire::Writer writer(out);
  EXPECT_TRUE(vmstate::save(description, object, writer, {.text = text}));
  return out.bytes;
}

/// "" or the refusal.
template <class T>
std::string load(const vmstate::DescriptionOf<T>& description, T& object, std::span<const std::byte> bytes,
                 std::uint32_t version) {
  wire::Reader in(bytes);
  auto done = vmstate::load(description, version, object, in);
  if (done) done = vmstate::expect_end(in);
  return done ? "" : done.error().message();
}
template <class T>
std::string load(const vmstate::DescriptionOf<T>& description, T& object, std::span<const std::byte> bytes) {
  return load(description, object, bytes, description.version);
}

std::vector<std::filesystem::path> kvm_captures() {
  std::vector<std::filesystem::path> list;
  for (const auto& each : std::filesystem::directory_iterator(VCPR_SOURCE_DIR "/corpus/captures/vfio"))
    if (each.path().string().ends_with(".main.bin")) list.push_back(each.path());
  std::ranges::sort(list);
  return list;
}

class KvmCapture : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  KvmCapture() {
    std::ifstream file(GetParam(), std::ios::binary);
    std::ranges::transform(std::string(std::istreambuf_iterator(file), {}), std::back_inserter(bytes_),
                           [](char each) { return static_cast<std::byte>(each); });
    parsed_ = vmstate::parse_main_stream(bytes_);
  }

  /// Loads the section, does something with the object, and wants the same bytes and the same vmdescription from it.
  template <class T, class Work>
  void expect_unchanged_by(const vmstate::DescriptionOf<T>& description, int expected, Work work) {
    int found = 0;
    for (const vmstate::MainRecord& record : parsed_.document.records) {
      if (record.head.idstr != description.name) continue;
      ASSERT_EQ(record.head.instance_id, static_cast<std::uint32_t>(found++));
      EXPECT_EQ(record.head.version, description.version);
      T object;
      EXPECT_EQ(load(description, object, record.payload), "");
      work(object, record.head.instance_id);
      vmstate::DescriptionText text;
      text.begin_object();
      text.string("name", description.name);
      text.integer("instance_id", record.head.instance_id);
      EXPECT_EQ(saved(description, object, &text), Bytes(record.payload.begin(), record.payload.end()));
      text.end_object();
      EXPECT_TRUE(parsed_.document.description->contains(text.text())) << text.text();
    }
    EXPECT_EQ(found, expected);
  }

  Bytes bytes_;
  vmstate::ParsedMainStream parsed_;
};

TEST_P(KvmCapture, LoadsAndSavesByteForByte) {
  ASSERT_EQ(parsed_.error, std::nullopt);
  expect_unchanged_by(kApic, 1, [](Apic& apic, std::uint32_t vcpu) { EXPECT_TRUE(check(apic, vcpu)); });
  expect_unchanged_by(kI8259, 2, [](I8259& pic, std::uint32_t instance) { EXPECT_TRUE(check(pic, instance)); });
  expect_unchanged_by(kIoapic, 1, [](Ioapic&, std::uint32_t) {});
}

/// What a handed over VM does that is handed over again at once.
TEST_P(KvmCapture, GoesThroughKvmsPagesByteForByte) {
  expect_unchanged_by(kApic, 1, [](Apic& apic, std::uint32_t) { read_page(page_of(apic), apic); });
  expect_unchanged_by(kI8259, 2, [](I8259& pic, std::uint32_t instance) { read_chip(chip_of(pic, instance), pic); });
  expect_unchanged_by(kIoapic, 1, [](Ioapic& ioapic, std::uint32_t) { read_chip(chip_of(ioapic), ioapic); });
}

INSTANTIATE_TEST_SUITE_P(All, KvmCapture, ::testing::ValuesIn(kvm_captures()), [](const auto& capture) {
  std::string name = capture.param.filename().string();
  return name.substr(0, name.find('.'));
});

TEST(KvmSections, StandInTheStreamWhereQemuHasThem) {
  EXPECT_EQ(kApic.priority, vmstate::Priority::apic);
  EXPECT_EQ(kI8259.priority, vmstate::Priority::normal);
  EXPECT_EQ(kIoapic.priority, vmstate::Priority::normal);
}

/// A page of random bits that a section can carry: all of the registers that it names, none of the others.
abi::kvm_lapic_state random_page(std::mt19937_64& random) {
  abi::kvm_lapic_state page;
  const auto put = [&](std::size_t offset, std::uint32_t bits, std::uint32_t ones = 0) {
    const std::uint32_t value = (static_cast<std::uint32_t>(random()) & bits) | ones;
    std::memcpy(page.regs + offset, &value, sizeof value);
  };
  for (std::size_t offset : {0x20u, 0xd0u}) put(offset, 0xff000000);
  for (std::size_t offset : {0x80u, 0x90u}) put(offset, 0xff);
  put(0xe0, 0xf0000000, 0x0fffffff);
  put(0xf0, ~0u);
  for (std::size_t offset = 0x100; offset <= 0x280; offset += 16) put(offset, ~0u);
  put(0x2f0, 0, 0x10000);
  for (std::size_t offset = 0x300; offset <= 0x380; offset += 16) put(offset, ~0u);
  put(0x3e0, ~0u);
  return page;
}

TEST(ApicSection, ARandomPageComesBackThroughTheStream) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 1000; ++round) {
    const abi::kvm_lapic_state page = random_page(random);
    Apic apic;
    read_page(page, apic);
    Apic arrived;
    ASSERT_EQ(load(kApic, arrived, saved(kApic, apic)), "");
    const abi::kvm_lapic_state back = page_of(arrived);
    ASSERT_EQ(std::memcmp(page.regs, back.regs, sizeof page.regs), 0) << "round " << round;
  }
}

TEST(ApicSection, AnyBitOutsideIsLostWithoutHarmToTheOthers) {
  std::mt19937_64 random(4);
  const abi::kvm_lapic_state page = random_page(random);
  int lost = 0;
  for (std::size_t bit = 0; bit < sizeof page.regs * 8; ++bit) {
    abi::kvm_lapic_state other = page;
    other.regs[bit / 8] = static_cast<char>(other.regs[bit / 8] ^ (1 << (bit % 8)));
    Apic apic;
    read_page(other, apic);
    const abi::kvm_lapic_state back = page_of(apic);
    if (std::memcmp(other.regs, back.regs, sizeof other.regs) == 0) continue;
    EXPECT_EQ(std::memcmp(page.regs, back.regs, sizeof page.regs), 0) << "bit " << bit;
    ++lost;
  }
  constexpr int kWords = 1 + 25 + 9 + 1;             // spurious, ISR to ESR, ICR to initial count, divider
  constexpr int kCarried = kWords * 32 + 4 * 8 + 4;  // id, TPR, APR, logical id; model
  EXPECT_EQ(lost, static_cast<int>(sizeof page.regs) * 8 - kCarried);
}

TEST(ApicSection, TheShiftFollowsTheDivider) {
  constexpr std::pair<std::uint32_t, std::int32_t> kShifts[] = {{0x0, 1}, {0x1, 2}, {0x2, 3}, {0x3, 4},
                                                                {0x8, 5}, {0x9, 6}, {0xa, 7}, {0xb, 0}};
  for (const auto& [divider, shift] : kShifts) {
    abi::kvm_lapic_state page;
    std::memcpy(page.regs + 0x3e0, &divider, sizeof divider);
    Apic apic;
    read_page(page, apic);
    EXPECT_EQ(apic.count_shift, shift) << divider;
  }
}

TEST(ApicSection, WhatThePageHasNotIsKept) {
  Apic apic{.apicbase = 0xfee00d00};
  apic.count_shift = 1;  // which is what divide_conf says
  apic.initial_count_load_time = 7;
  apic.next_time = 8;
  apic.timer_expiry = 9;
  apic.sipi_vector = 10;
  apic.wait_for_sipi = 1;
  const Bytes before = saved(kApic, apic);
  read_page(page_of(apic), apic);
  EXPECT_EQ(saved(kApic, apic), before);
  Apic arrived;
  ASSERT_EQ(load(kApic, arrived, before), "");
  EXPECT_EQ(saved(kApic, arrived), before);
}

TEST(ApicSection, ASecondProcessorOfQemuWaitsForItsStart) {
  Apic apic;
  const std::size_t plain = saved(kApic, apic).size();
  apic.wait_for_sipi = 1;
  Bytes bytes = saved(kApic, apic);
  EXPECT_EQ(bytes.size(), plain + 2 + 9 + 4 + 8) << "apic_sipi";
  Apic arrived;
  ASSERT_EQ(load(kApic, arrived, bytes), "");
  EXPECT_EQ(arrived.wait_for_sipi, 1);
}

TEST(ApicSection, AnotherProcessorsIsRefusedWithBothIds) {
  const Apic apic{.id = 3};
  EXPECT_TRUE(check(apic, 3));
  auto other = check(apic, 2);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message(), "bad_value: apic instance 2: id is 3, the vCPU's is 2");
}

TEST(ApicSection, AnX2ApicThatIsNotEnabledIsRefused) {
  EXPECT_TRUE(check({.apicbase = 0xfee00d00}, 0));
  EXPECT_TRUE(check({.apicbase = 0xfee00100}, 0)) << "off altogether";
  auto invalid = check({.apicbase = 0xfee00500}, 0);
  ASSERT_FALSE(invalid);
  EXPECT_EQ(invalid.error().message(),
            "bad_value: apic instance 0: apicbase is 0xfee00500, an x2APIC that is not enabled");
}

TEST(IoapicSection, ARandomChipComesBackThroughTheStream) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 1000; ++round) {
    abi::kvm_ioapic_state chip;
    chip.base_address = kIoapicAddress;
    chip.ioregsel = static_cast<std::uint8_t>(random());
    chip.id = random() & 0xf;
    chip.irr = random() & 0xffffff;
    for (auto& entry : chip.redirtbl) entry = random();
    Ioapic ioapic, arrived;
    read_chip(chip, ioapic);
    ASSERT_EQ(load(kIoapic, arrived, saved(kIoapic, ioapic)), "");
    const abi::kvm_ioapic_state back = chip_of(arrived);
    ASSERT_EQ(std::memcmp(&chip, &back, sizeof chip), 0) << "round " << round;
  }
}

TEST(IoapicSection, OldVersionsHaveNoRequests) {
  Ioapic ioapic{.id = 2, .ioregsel = 0x12};
  ioapic.ioredtbl[5] = 0x51;
  Bytes bytes = saved(kIoapic, ioapic);
  bytes.erase(bytes.begin() + 2, bytes.begin() + 2 + 8 + 4);
  Ioapic arrived;
  EXPECT_EQ(load(kIoapic, arrived, bytes, 1), "");
  EXPECT_EQ(arrived.ioredtbl[5], 0x51u);
}

TEST(I8259Section, ARandomChipComesBackThroughTheStream) {
  std::mt19937_64 random(4);
  for (std::uint32_t round = 0; round < 1000; ++round) {
    const std::uint32_t instance = round % 2;
    const auto bits = [&](unsigned mask) { return static_cast<std::uint8_t>(random() & mask); };
    abi::kvm_pic_state chip{.last_irr = bits(0xff),
                            .irr = bits(0xff),
                            .imr = bits(0xff),
                            .isr = bits(0xff),
                            .priority_add = bits(7),
                            .irq_base = bits(0xf8),
                            .read_reg_select = bits(1),
                            .poll = bits(1),
                            .special_mask = bits(1),
                            .init_state = bits(3),
                            .auto_eoi = bits(1),
                            .rotate_on_auto_eoi = bits(1),
                            .special_fully_nested_mode = bits(1),
                            .init4 = bits(1),
                            .elcr = bits(kElcrMasks[instance]),
                            .elcr_mask = kElcrMasks[instance]};
    I8259 pic, arrived;
    read_chip(chip, pic);
    ASSERT_EQ(load(kI8259, arrived, saved(kI8259, pic)), "");
    ASSERT_TRUE(check(arrived, instance));
    const abi::kvm_pic_state back = chip_of(arrived, instance);
    ASSERT_EQ(std::memcmp(&chip, &back, sizeof chip), 0) << "round " << round;
  }
}

TEST(I8259Section, TheSingleModeThatKvmHasNotIsKept) {
  I8259 pic{.single_mode = 2};
  read_chip(chip_of(pic, 0), pic);
  EXPECT_EQ(pic.single_mode, 2);
}

TEST(I8259Section, WhatNoGuestCanProgramIsRefused) {
  auto base = check({.irq_base = 0x71}, 1);
  ASSERT_FALSE(base);
  EXPECT_EQ(base.error().message(), "bad_value: i8259 instance 1: irq_base is 113, not a multiple of 8");
  auto trigger = check({.elcr = 0x0c}, 0);
  ASSERT_FALSE(trigger);
  EXPECT_EQ(trigger.error().message(), "bad_value: i8259 instance 0: elcr is 0xc, a guest can set 0xf8");
  EXPECT_TRUE(check({.elcr = 0x0c}, 1));
}

/// Sets one byte of a section's start values: "" or the refusal.
template <class T>
std::string with_byte(const vmstate::DescriptionOf<T>& description, std::size_t offset, std::uint8_t value) {
  Bytes bytes = saved(description, T{});
  bytes[offset] = std::byte{value};
  T object;
  return load(description, object, bytes);
}

TEST(KvmSections, AValueOutOfRangeIsRefusedWhereItStands) {
  EXPECT_TRUE(with_byte(kApic, 12, 0x10).starts_with("bad_value at byte 12: dest_mode")) << with_byte(kApic, 12, 0x10);
  EXPECT_TRUE(with_byte(kApic, 149 + 3, 8).contains("count_shift")) << with_byte(kApic, 149 + 3, 8);
  EXPECT_TRUE(with_byte(kIoapic, 0, 0x10).starts_with("bad_value at byte 0: id"));
  EXPECT_TRUE(with_byte(kIoapic, 10, 1).starts_with("bad_value at byte 10: irr")) << "pin 24";
  constexpr std::pair<std::size_t, std::uint8_t> kPicLimits[] = {{4, 7},  {6, 1},  {7, 1},  {8, 1},  {9, 3},
                                                                 {10, 1}, {11, 1}, {12, 1}, {13, 1}, {14, 2}};
  for (const auto& [offset, limit] : kPicLimits) {
    EXPECT_EQ(with_byte(kI8259, offset, limit), "");
    const std::string refused = with_byte(kI8259, offset, static_cast<std::uint8_t>(limit + 1));
    EXPECT_TRUE(refused.starts_with("bad_value at byte " + std::to_string(offset))) << refused;
  }
}

}  // namespace
}  // namespace vcpr::kvm
