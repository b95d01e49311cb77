#include "properties/machine/truth.hpp"

#include <algorithm>
#include <cstring>

#include "properties/machine/memory.hpp"
#include "properties/machine/unix_socket.hpp"

namespace vcpr::machine {

namespace {

DescriptionFact fact_of(const Description& description) {
  char text[kLinkBytes];
  DescriptionFact fact;
  fact.id = description.id;
  fact.kind = description.kind;
  fact.device = description.device;
  fact.link = link_text(description, text);
  fact.references = description.references;
  fact.opened_at = description.opened_at;
  fact.closed_at = description.closed_at;
  fact.status_flags = description.flags;
  fact.offset = description.offset;
  fact.counter = description.counter;
  fact.semaphore = description.semaphore;
  fact.inode = description.inode;
  if (description.memory == nullptr) return fact;
  fact.size = description.memory->size();
  fact.seals = description.memory->seals();
  return fact;
}

void add_queued(std::vector<Holder>& holders, const Socket& socket, const Description& wanted) {
  for (const Message* message = socket.first; message != nullptr; message = message->next)
    for (std::uint32_t i = 0; i < message->fd_count; ++i)
      if (message->fds[i] == &wanted)
        holders.push_back({.queued_at_socket = socket.description != nullptr ? socket.description->id : 0});
  for (const Socket* waiting = socket.backlog_first; waiting != nullptr; waiting = waiting->backlog_next)
    add_queued(holders, *waiting, wanted);
}

std::uint64_t sum(const Log<Signal>& signals, std::uint32_t id, bool written) {
  std::uint64_t total = 0;
  signals.for_each([&](const Signal& signal) {
    if (signal.description == id && signal.written == written) total += signal.value;
  });
  return total;
}

}  // namespace

const Description& Truth::find(std::uint32_t id) const {
  const Description* each = machine_.first_description;
  while (each->id != id) each = each->next;
  return *each;
}

std::uint32_t Truth::description_of(Process& process, int number) const {
  const Slot* slot = state_of(process).table.find(number);
  return slot == nullptr ? 0 : slot->description->id;
}

FileFact Truth::file_of(Process& process, int number) const {
  const Slot* slot = state_of(process).table.find(number);
  if (slot == nullptr) return {};
  const Description& description = *slot->description;
  return {description.id, slot->close_on_exec, description.flags, description.offset};
}

std::uint64_t Truth::bad_closes() const {
  std::uint64_t count = 0;
  machine_.bad_descriptors.for_each([&](const BadDescriptor& fact) { count += fact.call == Call::close; });
  return count;
}

std::vector<Process*> Truth::processes() const {
  std::vector<Process*> all;
  for (ProcessState* each = machine_.first_process; each != nullptr; each = each->next) all.push_back(each);
  return all;
}

std::vector<DescriptionFact> Truth::descriptions() const {
  std::vector<DescriptionFact> all;
  all.reserve(machine_.description_count);
  for (const Description* each = machine_.first_description; each != nullptr; each = each->next)
    all.push_back(fact_of(*each));
  return all;
}

DescriptionFact Truth::description(std::uint32_t id) const {
  return fact_of(find(id));
}

std::vector<Holder> Truth::holders(std::uint32_t id) const {
  std::vector<Holder> all;
  const Description& wanted = find(id);
  for (Process* process : processes())
    for (const DescriptorFact& each : descriptors(*process))
      if (each.description == id) all.push_back({process, each.number, each.close_on_exec, 0});
  for (const Description* each = machine_.first_description; each != nullptr; each = each->next)
    if (each->references != 0 && each->socket != nullptr) add_queued(all, *each->socket, wanted);
  return all;
}

std::vector<DescriptorFact> Truth::descriptors(Process& process) const {
  std::vector<DescriptorFact> all;
  const DescriptorTable& table = state_of(process).table;
  for (std::uint32_t number = 0; number < table.end(); ++number)
    if (const Slot* slot = table.find(static_cast<int>(number)))
      all.push_back({static_cast<int>(number), slot->description->id, slot->close_on_exec});
  return all;
}

std::vector<std::pair<std::string, std::string>> Truth::environment(Process& process) const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Variable* each = state_of(process).environment.first(); each != nullptr; each = each->next)
    all.emplace_back(each->name, each->value);
  return all;
}

std::vector<std::byte> Truth::contents(std::uint32_t id, std::uint64_t offset, std::size_t bytes) const {
  const Description& description = find(id);
  if (description.memory == nullptr) return {};
  const std::uint64_t size = description.memory->size();
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes, size - std::min(size, offset))));
  (void)description.memory->read(offset, buffer);
  return buffer;
}

std::uint64_t Truth::contents_hash(std::uint32_t id, std::uint64_t bytes) const {
  static constexpr std::byte kZeros[kPageBytes]{};
  Hasher hasher;
  const Memory* memory = find(id).memory;
  if (memory == nullptr) return hasher.value();
  hasher.word(std::min(memory->size(), bytes));
  for (std::uint64_t index = 0; index < bytes / kPageBytes; ++index) {
    const std::byte* page = memory->find_page(index);
    if (page == nullptr || std::memcmp(page, kZeros, kPageBytes) == 0) continue;
    hasher.word(index);
    hasher.bytes({page, kPageBytes});
  }
  return hasher.value();
}

std::uint64_t Truth::signals_written(std::uint32_t id) const {
  return sum(machine_.signals, id, true);
}
std::uint64_t Truth::signals_read(std::uint32_t id) const {
  return sum(machine_.signals, id, false);
}

}  // namespace vcpr::machine
