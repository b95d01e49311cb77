#include "properties/machine/process.hpp"

#include <cstring>

#include "engine/os/abi.hpp"
#include "properties/machine/memory.hpp"
#include "properties/machine/sim_kernel.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/unix_socket.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

std::string_view keep_text(Arena& arena, std::string_view text) {
  if (text.empty()) return {};
  char* copy = static_cast<char*>(arena.take(text.size()));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

void forget_text(Arena& arena, std::string_view text) {
  if (!text.empty()) arena.give_back(const_cast<char*>(text.data()), text.size());
}

ProcessState::ProcessState(Machine::Impl& of, std::uint32_t number)
    : machine(of),
      table(of.arena),
      id(number),
      descriptor_limit(of.switches.descriptor_limit),
      can_exceed_limits(of.switches.privileged),
      memlock_limit(of.switches.memlock_limit),
      can_lock_memory(of.switches.ipc_lock) {
  current = of.arena.make<SimKernel>(*this);
}

ProcessState& state_of(Process& process) {
  return static_cast<ProcessState&>(process);
}

void close_descriptor(ProcessState& process, std::uint32_t number) {
  release(process.machine, process.table.take(number));
}

Slot* Context::find(int number) {
  Slot* slot = process.table.find(number);
  if (slot == nullptr)
    machine.bad_descriptors.append(machine.arena, {machine.current_call, &process, process.images, number, call});
  return slot;
}

std::unexpected<Errno> Context::would_block(int number, const Description& description) {
  if ((description.flags & abi::o_nonblock) == 0)
    machine.would_block.append(machine.arena, {machine.current_call, &process, number, call});
  return std::unexpected(Errno::eagain);
}

bool Context::has_free_number(std::uint32_t count) const {
  std::uint32_t number = process.table.lowest_free();
  while (--count > 0) number = process.table.lowest_free(number + 1);
  return number < process.descriptor_limit;
}

os::Result<int> Context::install(Description& description, bool close_on_exec, std::uint32_t from) {
  const std::uint32_t number = process.table.lowest_free(from);
  if (number >= process.descriptor_limit) return std::unexpected(Errno::emfile);
  acquire(description);
  process.table.put(machine.arena, number, description, close_on_exec);
  return static_cast<int>(number);
}

namespace {

// fs/exec.c: MAX_ARG_STRLEN, and a quarter of the usual 8 MiB of stack
constexpr std::size_t kMaxArgumentBytes = 131071;
constexpr std::size_t kMaxArgumentsBytes = std::size_t{2} << 20;

/// E2BIG when a string, or all of them, are too long for a new image.
bool fits_new_image(const Environment& environment, std::span<const char* const> arguments) {
  std::size_t total = 0;
  for (const char* argument : arguments) {
    const std::size_t bytes = std::strlen(argument);
    if (bytes > kMaxArgumentBytes) return false;
    total += bytes + 1 + sizeof(char*);
  }
  for (const Variable* each = environment.first(); each != nullptr; each = each->next) {
    const std::size_t bytes = each->name.size() + 1 + each->value.size();
    if (bytes > kMaxArgumentBytes) return false;
    total += bytes + 1 + sizeof(char*);
  }
  return total <= kMaxArgumentsBytes;
}

void keep_command(ProcessState& process, std::string_view path, std::span<const char* const> arguments) {
  std::size_t bytes = path.size();
  for (const char* argument : arguments) bytes += 1 + std::strlen(argument);
  Arena& arena = process.machine.arena;
  char* text = static_cast<char*>(arena.take(bytes));
  std::size_t used = path.copy(text, path.size());
  for (const char* argument : arguments) {
    text[used++] = ' ';
    used += std::string_view(argument).copy(text + used, bytes - used);
  }
  forget_text(arena, std::exchange(process.command_line, {text, bytes}));
}

}  // namespace

os::Result<void> do_execve(Context& context, std::string_view path, std::span<const char* const> arguments) {
  if (path.empty() || context.fires(FaultPoint::execve_enoent)) return std::unexpected(Errno::enoent);
  if (context.fires(FaultPoint::execve_eacces)) return std::unexpected(Errno::eacces);
  ProcessState& process = context.process;
  if (!fits_new_image(process.environment, arguments)) return std::unexpected(Errno::e2big);
  if (context.fires(FaultPoint::execve_enomem)) return std::unexpected(Errno::enomem);
  keep_command(process, path, arguments);
  for (std::uint32_t number = 0; number < process.table.end(); ++number) {
    const Slot* slot = process.table.find(static_cast<int>(number));
    if (slot != nullptr && slot->close_on_exec) close_descriptor(process, number);
  }
  process.space.clear(context.machine);
  process.current = context.machine.arena.make<SimKernel>(process);
  ++process.images;
  return {};
}

os::Kernel& Process::kernel() {
  return *state_of(*this).current;
}
bool Process::alive() const {
  return static_cast<const ProcessState&>(*this).lives;
}
std::uint32_t Process::pid() const {
  return static_cast<const ProcessState&>(*this).id;
}
std::uint32_t Process::image() const {
  return static_cast<const ProcessState&>(*this).images;
}
std::string_view Process::command() const {
  return static_cast<const ProcessState&>(*this).command_line;
}

void Process::kill() {
  ProcessState& self = state_of(*this);
  if (!std::exchange(self.lives, false)) return;
  self.machine.trace.word(self.id);
  for (std::uint32_t number = 0; number < self.table.end(); ++number)
    if (self.table.find(static_cast<int>(number)) != nullptr) close_descriptor(self, number);
  self.space.clear(self.machine);
  self.environment.clear(self.machine.arena);
}

void Process::set_descriptor_limit(std::uint32_t limit) {
  state_of(*this).descriptor_limit = limit;
}
void Process::set_memlock(std::uint64_t limit, bool ipc_lock) {
  state_of(*this).memlock_limit = limit;
  state_of(*this).can_lock_memory = ipc_lock;
}
std::uint64_t Process::locked_pages() const {
  return static_cast<const ProcessState&>(*this).space.locked_pages;
}
std::uint64_t Process::pinned_pages() const {
  return static_cast<const ProcessState&>(*this).space.pinned_pages;
}
void Process::set_privileged(bool privileged) {
  state_of(*this).can_exceed_limits = privileged;
}

namespace {

constexpr std::uint32_t kPermissions = 0600;

std::uint32_t usual_mode(FileKind kind) {
  switch (kind) {
    case FileKind::memfd:
    case FileKind::file:
      return abi::s_ifreg | kPermissions;
    case FileKind::character_device:
      return abi::s_ifchr | kPermissions;
    case FileKind::socket:
      return abi::s_ifsock | 0777;
    case FileKind::pipe:
      return abi::s_ififo | kPermissions;
    case FileKind::eventfd:
    case FileKind::anonymous:
      break;
  }
  return kPermissions;
}

/// What the kind refers to, with no peer and no contents.
void furnish(Machine::Impl& machine, Description& made, const Described& wanted) {
  if (wanted.kind == FileKind::socket) {
    made.socket = machine.arena.make<Socket>();
    made.socket->description = &made;
  }
  if (wanted.kind == FileKind::memfd || wanted.kind == FileKind::file) {
    made.memory = machine.arena.make<Memory>(wanted.seals, made.inode);
    made.memory->references = 1;
    made.memory->resize(machine.arena, wanted.size);
  }
}

}  // namespace

int Process::install(const Described& wanted) {
  ProcessState& self = state_of(*this);
  Machine::Impl& machine = self.machine;
  const int number = wanted.number.value_or(static_cast<int>(self.table.lowest_free()));
  if (!self.lives || number < 0 || static_cast<std::uint32_t>(number) >= self.descriptor_limit) return -1;
  if (self.table.find(number) != nullptr) return -1;
  Description& made = make_description(machine, wanted.kind, wanted.status_flags);
  made.inode = ++machine.next_inode;
  made.link = keep_text(machine.arena, wanted.link);
  made.mode = wanted.mode != 0 ? wanted.mode : usual_mode(wanted.kind);
  made.offset = wanted.offset;
  made.counter = wanted.counter;
  made.semaphore = wanted.semaphore;
  made.special_device = wanted.special_device;
  furnish(machine, made, wanted);
  acquire(made);
  self.table.put(machine.arena, static_cast<std::uint32_t>(number), made, wanted.close_on_exec);
  return number;
}

bool Process::fill(int fd, std::uint64_t offset, std::span<const std::byte> bytes) {
  ProcessState& self = state_of(*this);
  Slot* slot = self.table.find(fd);
  if (slot == nullptr || slot->description->memory == nullptr) return false;
  return slot->description->memory->write(self.machine.arena, offset, bytes) == bytes.size();
}

bool Process::load(os::UserAddr address, std::span<std::byte> bytes) {
  return state_of(*this).space.load(address.value(), bytes);
}

bool Process::store(os::UserAddr address, std::span<const std::byte> bytes) {
  ProcessState& self = state_of(*this);
  return self.space.store(self.machine, address.value(), bytes);
}

}  // namespace vcpr::machine
