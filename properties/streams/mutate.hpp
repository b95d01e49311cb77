// The structure-aware mutator of stream inputs, for libFuzzer's and AFL++'s hooks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "properties/streams/field_map.hpp"

namespace vcpr::streams {

/// Damages a stream in place with one or more acts drawn from `seed`, understood or not: where it cannot be parsed, the
/// part that can, and its boundary. Returns the new size, at most `capacity`; equal arguments give equal mutants.
std::size_t mutate(StreamKind kind, std::uint8_t* data, std::size_t size, std::size_t capacity, std::uint32_t seed);

}  // namespace vcpr::streams
