#include "properties/machine/description.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "properties/machine/event_waiter.hpp"
#include "properties/machine/file_object.hpp"
#include "properties/machine/scm_rights.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/unix_socket.hpp"

namespace vcpr::machine {

namespace {

constexpr std::array<std::string_view, 7> kKindNames = {"eventfd", "memfd", "file",     "character_device",
                                                        "socket",  "pipe",  "anonymous"};

void tear_down(Machine::Impl& machine, Description& description) {
  description.closed_at = machine.current_call;
  machine.closings.append(machine.arena, {machine.current_call, description.id});
  --machine.open_descriptions;
  if (description.socket != nullptr) close_socket(machine, *description.socket);
  if (description.waiters != nullptr) hang_up_waiters(machine, description);
  if (description.object != nullptr) description.object->released(machine, description);
  if (description.memory != nullptr) release(machine.arena, *std::exchange(description.memory, nullptr));
}

}  // namespace

std::string_view name(FileKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

Description& make_description(Machine::Impl& machine, FileKind kind, int flags) {
  auto* made = machine.arena.make<Description>();
  made->id = ++machine.description_count;
  made->kind = kind;
  made->flags = flags;
  made->opened_at = machine.current_call;
  (machine.last_description != nullptr ? machine.last_description->next : machine.first_description) = made;
  machine.last_description = made;
  ++machine.open_descriptions;
  return *made;
}

void acquire(Description& description) {
  ++description.references;
}

void release(Machine::Impl& machine, Description& description) {
  if (--description.references != 0) return;
  description.next_dying = std::exchange(machine.dying, &description);
  if (machine.tearing_down) return;  // a socket's queue holds descriptions: unwound here, not by recursion
  machine.tearing_down = true;
  while (machine.dying != nullptr) {
    Description* next = std::exchange(machine.dying, machine.dying->next_dying);
    tear_down(machine, *next);
  }
  machine.tearing_down = false;
  if (std::exchange(machine.cycles_wanted, false)) collect_cycles(machine);
}

std::string_view link_text(const Description& description, std::span<char> buffer) {
  if (!description.link.empty()) return description.link;
  int length = 0;
  const auto inode = static_cast<unsigned long long>(description.inode);
  switch (description.kind) {
    case FileKind::eventfd:
      return "anon_inode:[eventfd]";
    case FileKind::memfd: {
      const std::string_view name = description.name;
      length = std::snprintf(buffer.data(), buffer.size(), "/memfd:%.*s (deleted)", static_cast<int>(name.size()),
                             name.data());
      break;
    }
    case FileKind::socket:
      length = std::snprintf(buffer.data(), buffer.size(), "socket:[%llu]", inode);
      break;
    case FileKind::pipe:
      length = std::snprintf(buffer.data(), buffer.size(), "pipe:[%llu]", inode);
      break;
    case FileKind::file:
    case FileKind::character_device:
    case FileKind::anonymous:
      return "anon_inode:[unnamed]";
  }
  return {buffer.data(), std::min(static_cast<std::size_t>(std::max(length, 0)), buffer.size() - 1)};
}

}  // namespace vcpr::machine
