// Config space: who owns which bit, what a loaded space may differ in, and that nothing hostile gets further.
#include "engine/vfio/config_space.hpp"

#include "engine/vfio/pci_testing.hpp"

namespace vcpr::vfio {
namespace {

std::vector<std::byte> header_with(std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> bytes) {
  std::vector<std::byte> config(256);
  pci::put(config, pci::kStatus, pci::kStatusCapabilities, 2);
  for (const auto& [offset, value] : bytes) pci::put(config, offset, value, 1);
  return config;
}

std::string walk(std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> bytes) {
  const auto found = walk_capabilities(header_with(bytes));
  return found ? "" : found.error().message();
}

TEST(Capabilities, AListThatCannotBeIsRefused) {
  EXPECT_EQ(walk({}), "");
  EXPECT_EQ(walk({{0x34, 0x20}}), "bad_value: capability at byte 32 of config space: inside the header");
  EXPECT_EQ(walk({{0x34, 0x40}, {0x40, 1}, {0x41, 0x40}}),
            "bad_value: capability at byte 64 of config space: the list loops");
  EXPECT_EQ(walk({{0x34, 0xfc}, {0xfc, 5}}), "bad_value: capability at byte 252 of config space: MSI does not fit");
  EXPECT_EQ(walk({{0x34, 0x40}, {0x40, 5}, {0x42, 0x0e}}),
            "bad_value: capability at byte 64 of config space: MSI for more than 32 vectors");
  EXPECT_EQ(walk({{0x34, 0x40}, {0x40, 5}, {0x41, 0x60}, {0x60, 5}}),
            "bad_value: capability at byte 96 of config space: a second MSI");
  EXPECT_EQ(walk({{0x34, 0xf8}, {0xf8, 17}}), "bad_value: capability at byte 248 of config space: MSI-X does not fit");
  EXPECT_EQ(walk({{0x34, 0x40}, {0x40, 17}, {0x44, 7}}),
            "bad_value: capability at byte 64 of config space: MSI-X in a BAR beyond 5");
}

TEST(ConfigSpace, BarsAreTheGuestsAndNotSizedByWriting) {
  PciHost host;
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.pci().read_config(pci::kBar0, 4), 0u) << "the host's address is hidden";
  EXPECT_EQ(vm.config(pci::kBar0, ~0U, 4), "");
  EXPECT_EQ(vm.pci().read_config(pci::kBar0, 4), 0xfffe'0000u) << "128 KiB";
  EXPECT_EQ(vm.config(pci::kBar0 + 8, ~0U, 4), "");
  EXPECT_EQ(vm.pci().read_config(pci::kBar0 + 8, 4), 0xffff'ffe1u) << "32 ports";
  EXPECT_EQ(vm.config(pci::kBar0 + 16, ~0U, 4), "");
  EXPECT_EQ(vm.pci().read_config(pci::kBar0 + 16, 4), ~0U) << "upper half of 64 bits";
  EXPECT_EQ(vm.config(pci::kRom, ~0U, 4), "");
  EXPECT_EQ(vm.pci().read_config(pci::kRom, 4), 0u) << "there is no ROM";
  EXPECT_TRUE(vm.seen().empty()) << "none of it is the device's";
}

TEST(ConfigSpace, WhatIsNotEmulatedIsTheDevices) {
  PciHost host;
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.pci().read_config(pci::kVendor, 4), 0x10c9'8086u);
  EXPECT_EQ(vm.config(pci::kCommand, pci::kCommandNoIntx, 2), "");
  EXPECT_EQ(vm.seen(), std::vector<std::string>{"pwrite"});
  EXPECT_TRUE(host.hardware().interrupts.intx_disabled);
  EXPECT_EQ(vm.pci().read_config(4095, 4), ~0U);
  EXPECT_NE(vm.config(4094, 0, 4), "");
}

TEST(ConfigSpace, BarsAreRangesWhileMemoryIsDecodedButForTheVectorTable) {
  PciHost host;
  PciVm& vm = *host.old;
  EXPECT_EQ(joined({vm.config(pci::kCommand, 0, 2), vm.config(pci::kBar0, 0xe000'0000, 4),
                    vm.config(pci::kBar0 + 12, 0xe010'0000, 4), vm.config(pci::kBar0 + 16, 2, 4)}),
            "");
  EXPECT_TRUE(vm.memory.ranges().empty());
  EXPECT_EQ(vm.enable_memory(), "");
  ASSERT_EQ(vm.memory.ranges().size(), 2u);
  EXPECT_EQ(vm.memory.ranges().at(0xe000'0000).size, 0x20000u);
  EXPECT_EQ(vm.memory.ranges().at(0x2'e010'1000).size, 0x3000u) << "the first page has the table";
  EXPECT_EQ(vm.config(pci::kBar0, 0xf000'0000, 4), "");
  EXPECT_TRUE(vm.memory.ranges().contains(0xf000'0000));
  EXPECT_EQ(vm.config(pci::kCommand, 0, 2), "");
  EXPECT_TRUE(vm.memory.ranges().empty());
}

/// What a loaded space may not share with the device, byte for byte.
TEST(ConfigSpace, ALoadedSpaceDiffersOnlyWhereAGuestOrTheHardwareCanWrite) {
  PciHost host;
  const ConfigSpace& config = host.old->pci().config();
  const std::vector<std::byte> fresh(config.bytes().begin(), config.bytes().end());
  EXPECT_EQ(text_of(config.check(fresh)), "");
  const auto is_fixed = [&](std::uint32_t byte) {
    std::vector<std::byte> loaded = fresh;
    loaded[byte] ^= std::byte{0xff};
    return !config.check(loaded).has_value();
  };
  for (const std::uint32_t byte : {0x00U, 0x03U, 0x08U, 0x0bU, 0x0eU, 0x10U, 0x2cU, 0x34U, 0x3dU, 0x40U, 0x41U, 0x51U,
                                   0x70U, 0x72U, 0x74U, 0x78U, 0xa0U}) {
    EXPECT_TRUE(is_fixed(byte)) << byte;
  }
  for (const std::uint32_t byte : {0x04U, 0x0cU, 0x3cU, 0x54U, 0x5cU, 0xa8U, 0x200U})
    EXPECT_FALSE(is_fixed(byte)) << byte;
  EXPECT_FALSE(config.check(std::span(fresh).first(256)));
}

TEST(ConfigSpace, I32_AdoptingWritesNothing) {
  PciHost host;
  PciVm& vm = *host.old;
  ConfigSpace& config = vm.pci().config();
  std::vector<std::byte> loaded(config.bytes().begin(), config.bytes().end());
  pci::put(loaded, pci::kCommand, 0x6, 2);
  pci::put(loaded, pci::kBar0, 0xe000'0000, 4);
  const std::uint64_t calls = host.machine.calls();
  config.adopt(loaded);
  EXPECT_EQ(host.machine.calls(), calls);
  EXPECT_EQ(config.bar_address(0), 0xe000'0000u);
}

}  // namespace
}  // namespace vcpr::vfio
