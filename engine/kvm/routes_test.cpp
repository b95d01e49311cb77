// The routing table as it is kept: which GSI a message gets, and what reaches the kernel.
#include "engine/kvm/routes.hpp"

#include <cstring>
#include <gtest/gtest.h>

namespace vcpr::kvm {
namespace {

namespace abi = os::abi;

constexpr MsiMessage kMessage{.address = 0x1'fee00000, .data = 0x51};

std::vector<abi::kvm_irq_routing_entry> entries(const Routes& routes) {
  std::vector<std::byte> table = routes.encode();
  abi::kvm_irq_routing header;
  std::memcpy(&header, table.data(), sizeof header);
  EXPECT_EQ(table.size(), sizeof header + header.nr * sizeof(abi::kvm_irq_routing_entry));
  EXPECT_EQ(header.flags, 0u);
  std::vector<abi::kvm_irq_routing_entry> list(header.nr, abi::kvm_irq_routing_entry{});
  std::memcpy(list.data(), table.data() + sizeof header, list.size() * sizeof list[0]);
  return list;
}

TEST(Routes, GsisAreGivenLowestFirstAndAgain) {
  Routes routes;
  for (std::uint32_t gsi = 24; gsi < 29; ++gsi) EXPECT_EQ(routes.add(kMessage), gsi);
  routes.remove(27);
  routes.remove(25);
  routes.remove(26);
  EXPECT_EQ(routes.messages(), 2u);
  for (std::uint32_t gsi : {25u, 26u, 27u, 29u}) EXPECT_EQ(routes.add(kMessage), gsi);
}

TEST(Routes, PinsAreThereFromTheBeginningAsKvmMadeThem) {
  Routes routes;
  EXPECT_FALSE(routes.is_changed());
  const auto list = entries(routes);
  ASSERT_EQ(list.size(), 40u);
  for (const auto& entry : list) {
    EXPECT_EQ(entry.type, abi::kvm_irq_routing_irqchip_id);
    const std::uint32_t first = entry.u.irqchip.irqchip == abi::kvm_irqchip_pic_slave ? 8 : 0;
    EXPECT_EQ(entry.gsi, first + entry.u.irqchip.pin);
  }
}

TEST(Routes, MessagesFollowThePinsByGsiWhole) {
  Routes routes;
  ASSERT_TRUE(routes.add(kMessage) && routes.add(kMessage) && routes.add(kMessage));
  routes.remove(25);
  routes.change(26, {.address = 0xfee01000, .data = 0x61});
  const auto list = entries(routes);
  ASSERT_EQ(list.size(), 42u);
  EXPECT_EQ(list[40].gsi, 24u);
  EXPECT_EQ(list[40].type, abi::kvm_irq_routing_msi_id);
  EXPECT_EQ(list[40].u.msi.address_lo, 0xfee00000u);
  EXPECT_EQ(list[40].u.msi.address_hi, 1u);
  EXPECT_EQ(list[40].u.msi.data, 0x51u);
  EXPECT_EQ(list[41].gsi, 26u);
  EXPECT_EQ(list[41].u.msi.address_lo, 0xfee01000u);
}

TEST(Routes, OnlyWhatDiffersIsAChange) {
  Routes routes;
  ASSERT_TRUE(routes.add(kMessage));
  EXPECT_TRUE(routes.is_changed());
  routes.committed();
  routes.change(24, kMessage);
  EXPECT_FALSE(routes.is_changed());
  routes.change(24, {.address = kMessage.address, .data = 0x52});
  EXPECT_TRUE(routes.is_changed());
  routes.committed();
  routes.remove(24);
  EXPECT_TRUE(routes.is_changed());
}

TEST(Routes, TheTableEndsWhereKvmsDoes) {
  Routes routes;
  for (std::uint32_t i = 0; i < kMaxMessageRoutes; ++i) ASSERT_TRUE(routes.add(kMessage));
  EXPECT_EQ(entries(routes).size(), kMaxRoutes);
  routes.committed();
  auto one_more = routes.add(kMessage);
  ASSERT_FALSE(one_more);
  EXPECT_EQ(one_more.error().code, ErrorCode::too_long);
  EXPECT_FALSE(routes.is_changed());
  routes.remove(100);
  EXPECT_EQ(routes.add(kMessage), 100u);
}

}  // namespace
}  // namespace vcpr::kvm
