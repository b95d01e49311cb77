#include "engine/vmstate/main_stream_format.hpp"

#include <iterator>

namespace vcpr::vmstate {

namespace {

struct CommandRule {
  std::string_view name;
  std::optional<std::uint16_t> length;
};

constexpr CommandRule kCommands[] = {
    {"", {}},
    {"OPEN_RETURN_PATH", 0},
    {"PING", 4},
    {"POSTCOPY_ADVISE", {}},
    {"POSTCOPY_LISTEN", 0},
    {"POSTCOPY_RUN", 0},
    {"POSTCOPY_RAM_DISCARD", {}},
    {"PACKAGED", 4},
    {"ENABLE_COLO", 0},
    {"POSTCOPY_RESUME", 0},
    {"RECV_BITMAP", {}},
    {"SWITCHOVER_START", 0},
};

const CommandRule& rule(Command command) {
  auto number = static_cast<std::size_t>(command);
  return kCommands[number < std::size(kCommands) ? number : 0];
}

}  // namespace

std::string_view name(SectionType type) {
  switch (type) {
    case SectionType::end:
      return "EOF";
    case SectionType::start:
      return "START";
    case SectionType::part:
      return "PART";
    case SectionType::last_part:
      return "END";
    case SectionType::full:
      return "FULL";
    case SectionType::description:
      return "VMDESCRIPTION";
    case SectionType::configuration:
      return "CONFIGURATION";
    case SectionType::command:
      return "COMMAND";
    case SectionType::footer:
      return "FOOTER";
    case SectionType::subsection:
      break;
  }
  return "";
}

std::string_view name(Command command) {
  return rule(command).name;
}

std::optional<std::uint16_t> fixed_length(Command command) {
  return rule(command).length;
}

}  // namespace vcpr::vmstate
