#include "properties/forms/words.hpp"
#include "properties/machine/fault.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

namespace {

using forms::Line;

void print_name(Line& line, const Name& name) {
  if (name.kind != NameKind::long_text) {
    line.word('"' + text(name) + '"');
    return;
  }
  char letter = static_cast<char>('a' + name.index);
  line.pair("long", name.length).word(std::string_view(&letter, 1));
}

void print_value(Line& line, const Entry& entry) {
  switch (entry.object) {
    case Object::eventfd:
      line.pair("counter", entry.value);
      break;
    case Object::memfd:
      line.pair("bytes", entry.value).pair("offset", entry.offset).pair("seals", entry.seals);
      break;
    case Object::vfio_group:
    case Object::vfio_device:
    case Object::same_as:
      line.number(entry.value);
      break;
    default:
      break;
  }
  if (entry.flags & kNonBlocking) line.word("nonblocking");
  if (entry.flags & kSemaphore) line.word("semaphore");
  if (entry.flags & kKeptOnExec) line.word("kept-on-exec");
}

void print_entry(std::string& out, const Entry& entry) {
  Line line(out);
  line.word("save");
  print_name(line, entry.name);
  line.pair("id", entry.id).word(name(entry.object));
  print_value(line, entry);
}

void print_device(std::string& out, const Device& device) {
  Line line(out);
  line.word("device").word('"' + text({NameKind::device, device.index, 0}) + '"');
  line.pair("devid", device.devid).pair("ioas", device.ioas_id).pair("hwpt", device.hwpt_id);
}

void print_event(std::string& out, const Event& event) {
  Line line(out);
  line.pair("at", event.handover + 1).pair("call", event.call).word(name(event.action));
  switch (event.action) {
    case Action::fault:
      line.word(machine::name(static_cast<machine::FaultPoint>(event.operand)));
      if (event.times != 1) line.pair("times", event.times);
      break;
    case Action::advance:
      line.number(event.operand).word("us");
      break;
    case Action::signal:
    case Action::drop_entry:
      line.pair("entry", event.operand);
      break;
    default:
      break;
  }
}

void print_setting(std::string& out, std::string_view key, std::uint64_t value, std::uint64_t usual,
                   std::string_view unit = {}) {
  if (value == usual) return;
  Line line(out);
  line.pair(key, static_cast<std::int64_t>(value));
  if (!unit.empty()) line.word(unit);
}

/// Settings that differ from the usual ones, and the mode.
void print_config(std::string& out, const Scenario& scenario) {
  const Scenario usual;
  Line(out).word("mode").word(name(scenario.mode));
  if (scenario.accept != usual.accept) Line(out).word("accept").word(name(scenario.accept));
  print_setting(out, "handovers", scenario.handovers, usual.handovers);
  print_setting(out, "descriptor-limit", scenario.descriptor_limit, usual.descriptor_limit);
  print_setting(out, "socket-buffer", scenario.socket_buffer, usual.socket_buffer, "bytes");
  print_setting(out, "turns", scenario.turns, usual.turns);
  print_setting(out, "connect-timeout", scenario.connect_timeout, usual.connect_timeout, "ms");
  print_setting(out, "transfer-timeout", scenario.transfer_timeout, usual.transfer_timeout, "ms");
  print_setting(out, "hang-up-timeout", scenario.hang_up_timeout, usual.hang_up_timeout, "ms");
  if (scenario.claiming != usual.claiming) Line(out).word("claiming").word(name(scenario.claiming));
}

}  // namespace

std::string print(const Scenario& scenario) {
  std::string out = "vcpr scenario 1\n";
  print_config(out, scenario);
  for (const Entry& entry : scenario.entries) print_entry(out, entry);
  for (const Device& device : scenario.devices) print_device(out, device);
  for (std::uint16_t claim : scenario.claims) Line(out).word("claim").pair("entry", claim);
  for (const Event& event : scenario.events) print_event(out, event);
  return out;
}

}  // namespace vcpr::scenario
