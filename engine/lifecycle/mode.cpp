#include "engine/lifecycle/mode.hpp"

namespace vcpr::lifecycle {

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::normal:
      return "normal";
    case Mode::cpr_reboot:
      return "cpr-reboot";
    case Mode::cpr_transfer:
      return "cpr-transfer";
    case Mode::cpr_exec:
      return "cpr-exec";
  }
  return "unknown";
}

}  // namespace vcpr::lifecycle
