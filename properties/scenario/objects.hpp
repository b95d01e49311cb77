// How the entries of a scenario become descriptors, and what the store has to say to them.
#pragma once

#include <cstdint>

#include "engine/store/descriptor_table.hpp"
#include "properties/machine/machine.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

/// What the old process opened; not for same_as.
machine::Described describe(const Entry& entry);

/// The rule of the reserved names, stated a second time: what the new process must refuse as wrong_kind.
bool kind_fits(Object object, NameKind name);

/// Whether the CPR table knows several keys for one descriptor under this name.
bool name_may_share(NameKind name);

/// The device records CPR sends have a name of their own, a devid from 1 and an IOAS.
bool record_fits(const Device& device);

}  // namespace vcpr::scenario
