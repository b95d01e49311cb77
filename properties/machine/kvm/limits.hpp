// How much of everything a VM may have, as Linux 7.2 of x86_64 is built by default (include/linux/kvm_host.h).
#pragma once

#include <cstdint>

namespace vcpr::machine {

inline constexpr std::uint32_t kMaxVcpus = 1024;          ///< CONFIG_KVM_MAX_NR_VCPUS
inline constexpr std::uint32_t kMaxVcpuIds = 4096;        ///< KVM_MAX_VCPU_IDS
inline constexpr std::uint32_t kMaxRoutes = 4096;         ///< KVM_MAX_IRQ_ROUTES: of routes, and of GSIs
inline constexpr std::uint32_t kUserMemorySlots = 32764;  ///< KVM_USER_MEM_SLOTS
inline constexpr std::uint32_t kAddressSpaces = 2;        ///< of memory slots: a second one for SMM
inline constexpr std::uint32_t kIoapicPins = 24;
inline constexpr std::uint32_t kPicPins = 8;  ///< of one of the two

}  // namespace vcpr::machine
