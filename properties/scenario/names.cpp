#include <algorithm>
#include <array>

#include "properties/scenario/parts.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

namespace {

/// How a family spells its names: prefix, index (when it has any), suffix.
struct Family {
  std::string_view prefix;
  std::string_view suffix;
  bool indexed = true;
};

constexpr std::array<Family, kNameKinds> kFamilies{{
    {"ram", ""},
    {"/rom@etc/", ""},
    {"vfio_group", "", false},
    {"vfio_container_for_group", "", false},
    {"0000:3a:00.", ""},
    {"0000:3a:00.", "_interrupt"},
    {"0000:3a:00.", "_kvm_interrupt"},
    {"0000:3a:00.", "_intx-interrupt"},
    {"0000:3a:00.", "_intx-unmask"},
    {"0000:3a:00.", "_err_notifier"},
    {"0000:3a:00.", "_req_notifier"},
    {"iommufd", ""},
    {"", "", false},
    {"", "", false},
}};

template <class Enum, std::size_t N>
std::string_view pick(const std::array<std::string_view, N>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

}  // namespace

std::string text(const Name& name) {
  if (name.kind == NameKind::long_text) return std::string(name.length, static_cast<char>('a' + name.index));
  const Family& family = kFamilies[static_cast<std::size_t>(name.kind)];
  std::string bytes(family.prefix);
  if (family.indexed) bytes += static_cast<char>('0' + name.index);
  return bytes.append(family.suffix);
}

bool find_name(std::string_view bytes, Name& name) {
  for (std::uint8_t kind = 0; kind < static_cast<std::uint8_t>(NameKind::long_text); ++kind) {
    std::uint8_t indices = kFamilies[kind].indexed ? kNameIndices : 1;
    for (std::uint8_t index = 0; index < indices; ++index) {
      name = {static_cast<NameKind>(kind), index, 0};
      if (text(name) == bytes) return true;
    }
  }
  return false;
}

void normalise(Name& name) {
  name.kind = static_cast<NameKind>(static_cast<std::uint8_t>(name.kind) % kNameKinds);
  bool is_long = name.kind == NameKind::long_text;
  bool indexed = is_long || kFamilies[static_cast<std::size_t>(name.kind)].indexed;
  name.index %= indexed ? kNameIndices : std::uint8_t{1};
  name.length =
      is_long ? static_cast<std::uint16_t>(1 + (name.length + kMaxLongName - 1u) % kMaxLongName) : std::uint16_t{0};
}

std::string_view name(Mode mode) {
  return pick(std::array<std::string_view, kModes>{"transfer", "transfer-pair", "exec"}, mode);
}
std::string_view name(Accept accept) {
  return pick(std::array<std::string_view, kAccepts>{"current", "qemu-10.0", "stub"}, accept);
}
std::string_view name(Claiming claiming) {
  return pick(std::array<std::string_view, kClaimings>{"all", "listed"}, claiming);
}
std::string_view name(Object object) {
  return pick(std::array<std::string_view, kObjects>{"eventfd", "memfd", "vfio-container", "vfio-group", "vfio-device",
                                                     "iommufd", "null-device", "socket", "same-as"},
              object);
}
std::string_view name(Action action) {
  return pick(std::array<std::string_view, kActions>{"fault", "kill-old", "kill-new", "advance", "signal", "add-entry",
                                                     "drop-entry", "half-close", "cancel-old", "cancel-new",
                                                     "step-other", "freeze-old", "freeze-new"},
              action);
}

}  // namespace vcpr::scenario
