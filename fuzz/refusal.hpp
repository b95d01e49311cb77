// What every refusal of a stream must say, whatever the target.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "engine/os/error.hpp"

namespace vcpr::fuzz {

/// True for what is wrong with bytes, rather than with descriptors, the peer or the machine.
inline bool is_about_bytes(ErrorCode code) {
  return code <= ErrorCode::duplicate_subsection;
}

/// Aborts when an error about bytes names none, or any error names one beyond the end.
[[gnu::noinline]] inline void refusal_names_a_byte_of_the_stream(const Error& error, std::uint64_t size) {
  bool named = error.offset ? *error.offset <= size : !is_about_bytes(error.code);
  if (named && !error.text.empty()) return;
  std::fprintf(stderr, "a stream of %llu bytes is refused by: %s\n", static_cast<unsigned long long>(size),
               error.message().c_str());
  std::abort();
}

}  // namespace vcpr::fuzz
