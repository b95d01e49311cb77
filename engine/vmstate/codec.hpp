// Saving, loading and observing a state by its description. The byte layout is in FORMAT.md, "State descriptions".
//
// Nothing here recurses deeper than the description is nested, nothing is allocated beyond the description's limits,
// and a stream is never read past its end. An error names the byte where the offending field begins and the path to it:
// "fds[3].name: ..." (a subsection's fields after its name: "CprState/vfio devices/devices[0].id").
#pragma once

#include <cstdint>

#include "engine/vmstate/description_text.hpp"
#include "engine/vmstate/fields.hpp"
#include "engine/vmstate/observer.hpp"
#include "engine/wire/reader.hpp"
#include "engine/wire/writer.hpp"

namespace vcpr::vmstate {

/// How a descriptor field travels (QEMU chooses by migration mode, never by the stream).
enum class DescriptorEncoding : std::uint8_t {
  riding,  ///< cpr-transfer: one service byte with SCM_RIGHTS
  number,  ///< cpr-exec: its number, int32
};

struct SaveOptions {
  DescriptorEncoding descriptors = DescriptorEncoding::riding;
  /// Receives the vmdescription of what is saved, or null.
  DescriptionText* text = nullptr;
};

struct LoadOptions {
  DescriptorEncoding descriptors = DescriptorEncoding::riding;
  /// A subsection marked possibly_empty() may end right after its version, at the end of the stream.
  bool accept_empty_subsections = false;
  /// A subsection marked required() may be absent.
  bool accept_missing_subsections = false;
};

/// Appends the state. On error what was written so far stays in the writer's Outbox; discard it. Errors: those of the
/// hooks, bad_length (more elements or bytes than the limit or the count member says), bad_text, bad_descriptor
/// (negative number), bad_state (must_exist or validate fails, null struct pointer).
Expected<void> save_erased(const Description& description, const void* object, wire::Writer& out,
                           const SaveOptions& options);
template <class T>
Expected<void> save(const DescriptionOf<T>& description, const T& object, wire::Writer& out,
                    const SaveOptions& options = {}) {
  return save_erased(description, &object, out, options);
}

/// Reads a state written with `version` of the description. The object is left half loaded on error: load into a
/// fresh one. What follows stays in the reader; `expect_end` refuses it where a state is all there is.
Expected<void> load_erased(const Description& description, std::uint32_t version, void* object, wire::Reader& in,
                           const LoadOptions& options);
template <class T>
Expected<void> load(const DescriptionOf<T>& description, std::uint32_t version, T& object, wire::Reader& in,
                    const LoadOptions& options = {}) {
  return load_erased(description, version, &object, in, options);
}

/// Walks like load and reports each field before it is judged. `scratch` receives the values that later counts need;
/// no hook runs, no list operation appends, no descriptor is taken, absent subsections are accepted. `prefix` begins
/// every path.
Expected<void> observe_erased(const Description& description, std::uint32_t version, void* scratch, wire::Reader& in,
                              DescriptorEncoding descriptors, std::string_view prefix, Observer& observer);
template <class T>
Expected<void> observe(const DescriptionOf<T>& description, std::uint32_t version, T& scratch, wire::Reader& in,
                       DescriptorEncoding descriptors, std::string_view prefix, Observer& observer) {
  return observe_erased(description, version, &scratch, in, descriptors, prefix, observer);
}

/// trailing_bytes unless everything was read.
Expected<void> expect_end(const wire::Reader& in);

}  // namespace vcpr::vmstate
