// The ways a VM can be handed over, and the one it arrived by.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace vcpr::lifecycle {

/// In QEMU's order (qapi MigMode).
enum class Mode : std::uint8_t { normal, cpr_reboot, cpr_transfer, cpr_exec };
/// "cpr-transfer"
std::string_view name(Mode mode);

/// A set of modes: what a blocker or a participant is for.
class Modes {
 public:
  constexpr Modes(std::initializer_list<Mode> modes) {
    for (Mode each : modes) bits_ |= bit(each);
  }
  constexpr bool has(Mode mode) const { return (bits_ & bit(mode)) != 0; }

 private:
  static constexpr std::uint8_t bit(Mode mode) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(mode)); }
  std::uint8_t bits_ = 0;
};

/// The modes in which descriptors and memory cross over.
inline constexpr Modes kTransferAndExec{Mode::cpr_transfer, Mode::cpr_exec};
/// For what has a section: whatever the mode, it is saved.
inline constexpr Modes kEveryMode{Mode::normal, Mode::cpr_reboot, Mode::cpr_transfer, Mode::cpr_exec};

/// Whether this VM is being built from what an old process left: none once the guest may run.
enum class Incoming : std::uint8_t { none, transfer, exec };

}  // namespace vcpr::lifecycle
