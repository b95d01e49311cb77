// Descriptors of the kinds that a CPR state carries, as they stand in a process of the simulated machine.
#pragma once

#include <cstddef>
#include <string_view>

#include "engine/store/descriptor_kind.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::streams {

/// What the kernel would say about one of this kind; `any` is a memfd.
machine::Described stand_in(store::DescriptorKind kind);

/// One that an entry of this name is loaded with.
machine::Described stand_in_for(std::string_view entry_name);

}  // namespace vcpr::streams
