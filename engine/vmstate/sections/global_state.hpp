// The section "globalstate": the run state that the new process takes up (QEMU's migration/global_state.c).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/vmstate/fields.hpp"

namespace vcpr::vmstate {

inline constexpr std::size_t kRunStateBytes = 32;
inline constexpr std::size_t kGlobalStatePadding = 66;

struct GlobalState {
  std::uint32_t size = 0;  ///< length of the run state with its NUL
  std::array<char, kRunStateBytes> run_state{};
  bool has_vm_was_suspended = false;
  bool vm_was_suspended = false;
  std::array<std::byte, kGlobalStatePadding> padding{};

  /// "running", "paused", "prelaunch" ...; at most 31 characters.
  static GlobalState of(std::string_view run_state);
  std::string_view text() const;
};

/// bad_text: the run state does not end within its field, or not where `size` says.
Expected<void> check_global_state(GlobalState& state);

inline constexpr Field kGlobalStateFields[] = {
    field<&GlobalState::size>("size"),
    buffer<&GlobalState::run_state>("runstate"),
    field<&GlobalState::has_vm_was_suspended>("has_vm_was_suspended").with(&Field::type, "uint8"),
    field<&GlobalState::vm_was_suspended>("vm_was_suspended").with(&Field::type, "uint8"),
    buffer<&GlobalState::padding>("unused"),
};
inline constexpr auto kGlobalState =
    describe<GlobalState>("globalstate", 1, kGlobalStateFields).after_load<&check_global_state>();

}  // namespace vcpr::vmstate
