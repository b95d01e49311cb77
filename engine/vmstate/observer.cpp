#include "engine/vmstate/observer.hpp"

namespace vcpr::vmstate {

std::string_view name(Role role) {
  switch (role) {
    case Role::magic:
      return "magic";
    case Role::version:
      return "version";
    case Role::marker:
      return "marker";
    case Role::length:
      return "length";
    case Role::count:
      return "count";
    case Role::text:
      return "text";
    case Role::integer:
      return "integer";
    case Role::boolean:
      return "boolean";
    case Role::service_byte:
      return "service_byte";
    case Role::descriptor_number:
      return "descriptor_number";
    case Role::buffer:
      return "buffer";
    case Role::unused:
      return "unused";
    case Role::section_id:
      return "section_id";
    case Role::description:
      return "description";
  }
  return "?";
}

}  // namespace vcpr::vmstate
