// Who wants to know where the fields of a stream are: the dissector and the mutators.
#pragma once

#include <cstdint>
#include <string_view>

namespace vcpr::vmstate {

/// What a field is for in the format, which decides how it can be damaged and repaired.
enum class Role : std::uint8_t {
  magic,
  version,
  marker,   ///< list and pointer markers, subsection mark, section type
  length,   ///< counts the bytes of a later field
  count,    ///< counts later elements
  text,     ///< bytes of a name
  integer,  ///< signed or unsigned value without further meaning
  boolean,
  service_byte,  ///< a descriptor rides here
  descriptor_number,
  buffer,  ///< bytes without structure
  unused,  ///< padding the reader ignores
  section_id,
  description,  ///< the vmdescription text
};

std::string_view name(Role role);

/// One field as it stands in the stream. Views die with the call.
struct FieldSeen {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::string_view path;  ///< "fds[3].name", "devices[0]/ram.section_id"
  Role role{};
  std::string_view type;   ///< "uint32", "buffer", ... as in a vmdescription
  std::string_view value;  ///< for people: "12", "\"ram0\"", "16 bytes 00 01 ..."
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void field(const FieldSeen& seen) = 0;
};

}  // namespace vcpr::vmstate
