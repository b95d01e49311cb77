// Proves that the descriptor table answers every sequence of operations as a plain list would, and that exactly the
// descriptors it holds are open.
#include <array>

#include "engine/os/abi.hpp"
#include "properties/generators.hpp"
#include "properties/machine/truth.hpp"
#include "properties/table/model.hpp"

namespace vcpr::properties {
namespace {

using table::Operation;

rc::Gen<std::vector<Operation>> operations() {
  auto one = rc::gen::map(rc::gen::arbitrary<std::array<std::uint8_t, 4>>(),
                          [](const std::array<std::uint8_t, 4>& bytes) { return table::decode(bytes); });
  return rc::gen::container<std::vector<Operation>>(one);
}

int offered_by(const Operation& operation, const table::Model& model, os::Kernel& kernel) {
  if (!table::offers(operation.verb) || operation.offer == table::Offer::none) return -1;
  if (operation.offer == table::Offer::held) return model.number_at(operation.entry);
  return kernel.eventfd(0, os::abi::efd_cloexec).value_or(-1);
}

void check_open(machine::Machine& machine, machine::Process& process, const table::Model& model) {
  for (const machine::DescriptorFact& open : machine::Truth(machine).descriptors(process)) {
    RC_ASSERT(model.holds(open.number));
  }
  RC_ASSERT(machine::Truth(machine).bad_closes() == 0u);
}

RC_GTEST_PROP(Store, AnswersAsAListWould, ()) {
  machine::Machine machine;
  machine::Process& process = machine.spawn();
  {
    store::DescriptorTable table;
    table::Model model;
    for (const Operation& operation : *operations()) {
      int offered = offered_by(operation, model, process.kernel());
      table::Answer due = model.apply(operation, offered);
      table::Answer got = table::apply(table, process.kernel(), operation, offered);
      if (got != due) RC_FAIL(table::print(operation) + " = " + table::text(got) + ", not " + table::text(due));
      RC_ASSERT(model.equals(table));
      check_open(machine, process, model);
    }
  }
  RC_ASSERT(machine::Truth(machine).descriptors_open(process) == 0u);
}

RC_GTEST_PROP(Store, ChangesItsGenerationWheneverASaveWouldChange, ()) {
  machine::Machine machine;
  machine::Process& process = machine.spawn();
  store::DescriptorTable table;
  table::Model model;
  auto keys = [&] {
    std::vector<std::pair<std::string, std::int32_t>> all;
    for (store::Entry entry : table) all.emplace_back(std::string(entry.key.name), entry.key.id);
    return all;
  };
  for (const Operation& operation : *operations()) {
    auto before = keys();
    std::uint64_t generation = table.generation();
    int offered = offered_by(operation, model, process.kernel());
    (void)model.apply(operation, offered);
    (void)table::apply(table, process.kernel(), operation, offered);
    RC_ASSERT(keys() == before || table.generation() != generation);
  }
}

}  // namespace
}  // namespace vcpr::properties
