#include "properties/machine/state.hpp"

namespace vcpr::machine {

std::uint32_t Machine::plug(const Plugged&) {
  return 0;
}

}  // namespace vcpr::machine
