// Proves that the descriptor table answers every operation as a plain list would, and keeps open exactly what it holds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "engine/os/abi.hpp"
#include "fuzz/target.hpp"
#include "properties/machine/machine.hpp"
#include "properties/table/model.hpp"

namespace {

using namespace vcpr;

void table_answers_as_the_model(const table::Operation& operation, const table::Answer& got, const table::Answer& due) {
  if (got == due) return;
  std::fprintf(stderr, "%s: table says %s, model %s\n", print(operation).c_str(), table::text(got).c_str(),
               table::text(due).c_str());
  std::abort();
}

void table_holds_what_the_model_holds(const store::DescriptorTable& table, const table::Model& model) {
  if (!model.equals(table)) std::abort();
}

void held_descriptors_are_open_and_no_others(os::Kernel& kernel, const table::Model& model, int numbers) {
  for (int number = 0; number < numbers; ++number) {
    if (kernel.fcntl(number, os::abi::f_getfd, 0).has_value() == model.holds(number)) continue;
    std::fprintf(stderr, "descriptor %d: held by the model: %d\n", number, model.holds(number));
    std::abort();
  }
}

int offered_by(const table::Operation& operation, const table::Model& model, os::Kernel& kernel) {
  if (!offers(operation.verb) || operation.offer == table::Offer::none) return -1;
  return operation.offer == table::Offer::held ? model.number_at(operation.entry) : kernel.eventfd(0, 0).value_or(-1);
}

fuzz::Ran run(std::span<const std::uint8_t> input, const fuzz::Explain* explain) {
  machine::Machine machine;
  os::Kernel& kernel = machine.spawn().kernel();
  std::optional<store::DescriptorTable> table(std::in_place);
  table::Model model;
  int numbers = 0;  // every descriptor is below
  for (; !input.empty(); input = input.subspan(std::min<std::size_t>(input.size(), 4))) {
    const table::Operation operation = table::decode(input);
    const int offered = offered_by(operation, model, kernel);
    numbers = std::max(numbers, offered + 1);
    const table::Answer due = model.apply(operation, offered);
    const table::Answer got = apply(*table, kernel, operation, offered);
    if (explain) (*explain)(print(operation) + " = " + table::text(got));
    table_answers_as_the_model(operation, got, due);
    if (operation.verb == table::Verb::walk) table_holds_what_the_model_holds(*table, model);
  }
  table_holds_what_the_model_holds(*table, model);
  held_descriptors_are_open_and_no_others(kernel, model, numbers);
  table.reset();
  held_descriptors_are_open_and_no_others(kernel, {}, numbers);
  return machine.hash();
}

VCPR_FUZZ_TARGET(fd_store, "the descriptor table answers every operation as a plain list would", run, nullptr,
                 table::print_all, table::parse_all)

}  // namespace
