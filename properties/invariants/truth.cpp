#include "properties/invariants/truth.hpp"

#include "properties/machine/state.hpp"

namespace vcpr::invariants {

namespace {

const machine::ProcessState& state_of(const machine::Process& process) {
  return static_cast<const machine::ProcessState&>(process);
}

Descriptor describe(int number, const machine::Slot& slot) {
  const machine::Description& description = *slot.description;
  return {number, description.id, slot.close_on_exec, description.flags, description.offset};
}

}  // namespace

std::optional<Descriptor> look(const machine::Process& process, int number) {
  const machine::Slot* slot = state_of(process).table.find(number);
  if (slot == nullptr) return std::nullopt;
  return describe(number, *slot);
}

std::vector<Descriptor> open_descriptors(const machine::Process& process) {
  const machine::DescriptorTable& table = state_of(process).table;
  std::vector<Descriptor> open;
  open.reserve(table.open());
  for (std::uint32_t number = 0; open.size() < table.open(); ++number) {
    if (const machine::Slot* slot = table.find(static_cast<int>(number))) {
      open.push_back(describe(static_cast<int>(number), *slot));
    }
  }
  return open;
}

std::uint64_t failed_closes(const machine::Machine& machine, const machine::Process& process) {
  std::uint64_t count = 0;
  machine.impl().bad_descriptors.for_each([&](const machine::BadDescriptor& bad) {
    bool here = bad.process == &process && bad.image == process.image();
    if (here && bad.call == machine::Call::close) ++count;
  });
  return count;
}

std::vector<RecordedEntry> record(const machine::Process& process, const handover::CprState& state) {
  std::vector<RecordedEntry> recorded;
  recorded.reserve(state.descriptors.size());
  for (store::Entry entry : state.descriptors) {
    recorded.push_back({std::string(entry.key.name), entry.key.id,
                        look(process, entry.number).value_or(Descriptor{.number = entry.number})});
  }
  return recorded;
}

}  // namespace vcpr::invariants
