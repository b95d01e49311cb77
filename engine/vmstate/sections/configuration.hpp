// The configuration section that opens a main stream (QEMU's migration/savevm.c, vmstate_configuration).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/vmstate/fields.hpp"

namespace vcpr::vmstate {

/// Machine type names are short words; QEMU itself sets no limit.
inline constexpr std::uint64_t kMaxMachineNameBytes = 255;
inline constexpr std::uint32_t kMaxCapabilities = 32;
/// Below this x86 writes no target-page-bits (the legacy minimum).
inline constexpr std::uint32_t kLegacyTargetPageBits = 10;
inline constexpr std::uint32_t kMaxTargetPageBits = 16;

inline constexpr std::string_view kIgnoreShared = "x-ignore-shared";
inline constexpr std::string_view kMappedRam = "mapped-ram";

struct CapabilityName {
  std::string name;
  bool operator==(const CapabilityName&) const = default;
};

/// What both sides of a migration must agree on before the first section.
struct Configuration {
  std::string machine;
  std::uint32_t target_page_bits = 0;  ///< 0: not in the stream
  std::uint32_t capability_count = 0;
  std::vector<CapabilityName> capabilities;  ///< only those that change the format, only when on
  bool has_uuid = false;
  std::array<std::byte, 16> uuid{};

  bool has_capability(std::string_view name) const {
    for (const CapabilityName& each : capabilities) {
      if (each.name == name) return true;
    }
    return false;
  }
  void add_capability(std::string_view name) {
    capabilities.push_back({std::string(name)});
    ++capability_count;
  }
  bool has_page_bits() const { return target_page_bits != 0; }
  bool has_capabilities() const { return !capabilities.empty(); }
};

inline constexpr Field kCapabilityFields[] = {short_text<&CapabilityName::name>("name")};
inline constexpr auto kCapability = describe<CapabilityName>("capability", 1, kCapabilityFields);

inline constexpr Field kCapabilitiesFields[] = {
    field<&Configuration::capability_count>("caps_count"),
    struct_varray<&Configuration::capabilities, &Configuration::capability_count>("capabilities", kCapability)
        .limit(kMaxCapabilities),
};
inline constexpr auto kCapabilities = describe<Configuration>("configuration/capabilities", 1, kCapabilitiesFields)
                                          .needed_if<&Configuration::has_capabilities>();

inline constexpr Field kTargetPageBitsFields[] = {
    field<&Configuration::target_page_bits>("target_page_bits").at_most(kMaxTargetPageBits),
};
inline constexpr auto kTargetPageBits =
    describe<Configuration>("configuration/target-page-bits", 1, kTargetPageBitsFields)
        .needed_if<&Configuration::has_page_bits>();

Expected<void> note_uuid(Configuration& configuration);
inline constexpr Field kUuidFields[] = {buffer<&Configuration::uuid>("uuid")};
inline constexpr auto kUuid = describe<Configuration>("configuration/uuid", 1, kUuidFields)
                                  .needed_if<&Configuration::has_uuid>()
                                  .after_load<&note_uuid>();

inline constexpr const Description* kConfigurationSubsections[] = {&kTargetPageBits, &kCapabilities, &kUuid};
inline constexpr Field kConfigurationFields[] = {
    counted_text<&Configuration::machine>("name", kMaxMachineNameBytes),
};
/// Written as version 1 and, because its version is not in the stream, loaded as version 0.
inline constexpr auto kConfiguration =
    describe<Configuration>("configuration", 1, kConfigurationFields).with_subsections(kConfigurationSubsections);
inline constexpr std::uint32_t kConfigurationLoadVersion = 0;

/// bad_value for a capability that lays the stream out in a way that is not read here: mapped-ram.
Expected<void> check_layout(const Configuration& theirs);

/// bad_value, naming the first thing in which `theirs` differs from `ours`.
Expected<void> agree(const Configuration& ours, const Configuration& theirs);

}  // namespace vcpr::vmstate
