// One VM, one attempt, everything checked: what tests and sweeps are made of.
#pragma once

#include <string>
#include <vector>

#include "properties/whole_vm/invariants.hpp"

namespace vcpr::whole_vm {

struct Played {
  Outcome outcome;
  bool given = false;
  std::vector<machine::Call> calls{};   ///< of the attempt, in order
  std::vector<std::string> violations;  ///< and whatever else went wrong, as text
};

/// Boots the shape, raises every interrupt once, hands over, lets the old process quit if the VM was given away, raises
/// every interrupt again, and asks every invariant. `disturbed`: the attempt may end either way.
Played play(const Shape& shape, const Attempt& attempt, bool disturbed);

}  // namespace vcpr::whole_vm
