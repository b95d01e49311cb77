#include "properties/forms/words.hpp"
#include "properties/machine/fault.hpp"
#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

namespace {

using forms::Line;

void print_setting(Line& line, std::string_view key, std::uint64_t value, std::uint64_t usual) {
  if (value != usual) line.pair(key, static_cast<std::int64_t>(value));
}

/// What is not usual.
void print_host(std::string& out, const Scenario& scenario) {
  const Scenario usual;
  if (scenario.ram_blocks != usual.ram_blocks || scenario.turns != usual.turns || scenario.noexec != usual.noexec ||
      scenario.socket_buffer != usual.socket_buffer) {
    Line line(out);
    line.word("vm");
    print_setting(line, "ram", scenario.ram_blocks, usual.ram_blocks);
    print_setting(line, "turns", scenario.turns, usual.turns);
    print_setting(line, "noexec", scenario.noexec, usual.noexec);
    print_setting(line, "socket", scenario.socket_buffer, usual.socket_buffer);
  }
  if (scenario.without == 0) return;
  Line line(out);
  line.word("without");
  for (std::uint8_t i = 0; i < kFeatures; ++i) {
    if (!has(scenario, static_cast<Feature>(i))) line.word(name(static_cast<Feature>(i)));
  }
}

void print_device(std::string& out, const Device& device) {
  Line line(out);
  line.word("device").word(name(device.model)).word(name(device.backend)).word(name(device.interrupt));
  if (device.interrupt == whole_vm::Interrupt::msix) line.number(device.vectors);
}

void print_operand(Line& line, const Step& step) {
  switch (rule(step.action).operand) {
    case Operand::none:
      break;
    case Operand::options:
      if ((step.operand & kPlain) != 0) line.word("plain");
      if ((step.operand & kStopFirst) != 0) line.word("stop-first");
      break;
    case Operand::fault:
      line.word(machine::name(static_cast<machine::FaultPoint>(step.operand)));
      if (step.times != 1) line.pair("times", step.times);
      break;
    case Operand::milliseconds:
      line.number(step.operand).word("ms");
      break;
    default:
      line.number(step.operand);
  }
}

void print_step(std::string& out, const Step& step) {
  if (step.pinned) out += "  ";
  Line line(out);
  if (step.pinned) line.pair("at", step.call);
  line.word(rule(step.action).name);
  print_operand(line, step);
}

}  // namespace

std::string text(const Step& step) {
  std::string out;
  print_step(out, step);
  return out.substr(step.pinned ? 2 : 0, out.size() - (step.pinned ? 3 : 1));
}

std::string print(const Scenario& scenario) {
  std::string out;
  print_host(out, scenario);
  for (const Device& device : scenario.devices) print_device(out, device);
  for (const Step& step : scenario.steps) print_step(out, step);
  return out;
}

}  // namespace vcpr::vm_scenario
