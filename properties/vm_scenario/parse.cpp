#include <algorithm>
#include <limits>

#include "properties/forms/words.hpp"
#include "properties/machine/fault.hpp"
#include "properties/vm_scenario/parts.hpp"

namespace vcpr::vm_scenario {

namespace {

using forms::Words;
using whole_vm::Backend;
using whole_vm::Interrupt;

constexpr auto kNameOf = [](auto value) { return name(value); };

std::string quoted(std::string_view word) {
  return "'" + std::string(word) + "'";
}

std::string at_most(std::size_t count, std::string_view what) {
  return "expected at most " + std::to_string(count) + " " + std::string(what);
}

/// The order of lines: what a line means depends on those of the stages above it.
enum class Stage : std::uint8_t { host, devices, steps };

/// One pass over the lines. Values out of range are errors of the writer, never changed.
class Parser {
 public:
  void line(Words& words);
  Scenario take() { return std::move(scenario_); }
  bool has_device() const { return !scenario_.devices.empty(); }

 private:
  void enter(Words& words, Stage stage, std::string_view word);
  void vm(Words& words);
  void without(Words& words);
  void device(Words& words);
  void pinned(Words& words);
  void step(Words& words, std::string_view action, Step step);
  void operand(Words& words, Step& step) const;

  Scenario scenario_;
  Stage stage_ = Stage::host;
};

void Parser::line(Words& words) {
  std::string_view key = words.word();
  Stage stage = key == "vm" || key == "without" ? Stage::host : key == "device" ? Stage::devices : Stage::steps;
  enter(words, stage, key);
  if (key == "vm") return vm(words);
  if (key == "without") return without(words);
  if (key == "device") return device(words);
  if (key == "at") return pinned(words);
  step(words, key, {});
}

void Parser::enter(Words& words, Stage stage, std::string_view word) {
  if (stage < stage_) words.fail(quoted(word) + " stands too late: expected host, then devices, then steps");
  stage_ = stage;
}

void Parser::vm(Words& words) {
  if (words.at_end()) words.fail("expected one of ram, turns, noexec, socket");
  while (!words.at_end() && !words.failed()) {
    std::string_view key = words.word();
    if (key == "ram") {
      words.number(scenario_.ram_blocks, 1, kMaxRamBlocks);
    } else if (key == "turns") {
      words.number(scenario_.turns, 0, std::numeric_limits<std::uint32_t>::max());
    } else if (key == "noexec") {
      words.number(scenario_.noexec, 0, 2);
    } else if (key == "socket") {
      words.number(scenario_.socket_buffer, kLeastSocketBuffer, Scenario().socket_buffer);
    } else {
      words.fail_expecting("one of ram, turns, noexec, socket", key);
    }
  }
}

void Parser::without(Words& words) {
  do {
    Feature feature{};
    words.choice(feature, kFeatures, kNameOf, "a feature");
    scenario_.without |= static_cast<std::uint16_t>(1u << static_cast<unsigned>(feature));
  } while (!words.at_end() && !words.failed());
}

void Parser::device(Words& words) {
  if (scenario_.devices.size() == kMaxDevices) return words.fail(at_most(kMaxDevices, "devices"));
  Device device;
  words.choice(device.model, kModels, kNameOf, "a model");
  words.choice(device.backend, 2, kNameOf, "a back end");
  words.choice(device.interrupt, 3, kNameOf, "an interrupt kind");
  const bool by_cdev = device.backend == Backend::iommufd;
  if (by_cdev && !has(scenario_, Feature::device_cdev)) words.fail_expecting("legacy without device_cdev", "iommufd");
  const bool msix = device.interrupt == Interrupt::msix;
  if (msix && device.model == machine::DeviceModel::edu) words.fail_expecting("intx or msi of an edu", "msix");
  if (msix) words.number(device.vectors, 1, max_vectors(device.model, device.interrupt));
  scenario_.devices.push_back(device);
}

/// Behind its handover, or what is pinned to the same one before.
void Parser::pinned(Words& words) {
  const Step* above = scenario_.steps.empty() ? nullptr : &scenario_.steps.back();
  if (above == nullptr || (!above->pinned && !is_handover(above->action)))
    return words.fail("expected a handover above 'at'");
  Step pinned{.pinned = true};
  words.number(pinned.call, above->call, kMaxCall);
  step(words, words.word(), pinned);
}

void Parser::step(Words& words, std::string_view action, Step step) {
  if (scenario_.steps.size() == kMaxSteps) return words.fail(at_most(kMaxSteps, "steps"));
  auto its = std::ranges::find(actions(), action, &ActionRule::name);
  if (its == actions().end()) return words.fail_expecting("vm, without, device, at or an action", action);
  if (step.pinned && !its->pinned) return words.fail("expected no 'at' before " + quoted(action));
  if (!step.pinned && !its->between) return words.fail("expected 'at CALL' before " + quoted(action));
  auto before = std::ranges::count_if(scenario_.steps, [](const Step& each) { return is_handover(each.action); });
  if (is_handover(its->action) && static_cast<std::size_t>(before) == kMaxHandovers)
    return words.fail(at_most(kMaxHandovers, "handovers"));
  step.action = its->action;
  operand(words, step);
  scenario_.steps.push_back(step);
}

void parse_fault(Words& words, Step& step) {
  std::string_view wanted = words.word();
  auto its = std::ranges::find(machine::fault_table(), wanted, &machine::FaultRule::name);
  if (its == machine::fault_table().end()) return words.fail_expecting("a fault point of the machine", wanted);
  step.operand = static_cast<std::uint32_t>(its->point);
  if (words.take("times")) words.number(step.times, 1, std::numeric_limits<std::uint8_t>::max());
}

void Parser::operand(Words& words, Step& step) const {
  switch (rule(step.action).operand) {
    case Operand::none:
      return;
    case Operand::options:
      if (words.take("plain")) step.operand |= kPlain;
      if (words.take("stop-first")) step.operand |= kStopFirst;
      return;
    case Operand::fault:
      return parse_fault(words, step);
    default:
      if (scenario_.devices.empty()) return words.fail("expected a device before the first step");
      words.number(step.operand, 0, static_cast<std::int64_t>(operand_end(scenario_, step.action)) - 1);
      if (rule(step.action).operand == Operand::milliseconds) words.expect("ms");
  }
}

std::unexpected<std::string> wrong(std::size_t line, const std::string& reason) {
  return std::unexpected("line " + std::to_string(line) + ": " + reason);
}

}  // namespace

std::expected<Scenario, std::string> parse(std::string_view text) {
  Parser parser;
  std::size_t number = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    Words words(line);
    ++number;
    if (words.at_end()) continue;
    parser.line(words);
    if (!words.failed() && !words.at_end()) words.fail("expected no more, found " + quoted(words.word()));
    if (words.failed()) return wrong(number, words.reason());
  }
  if (!parser.has_device()) return wrong(std::max<std::size_t>(number, 1), "expected a device");
  Scenario scenario = parser.take();
  normalise(scenario);
  return scenario;
}

}  // namespace vcpr::vm_scenario
