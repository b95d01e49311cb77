#include <algorithm>
#include <limits>
#include <optional>

#include "properties/forms/words.hpp"
#include "properties/machine/fault.hpp"
#include "properties/scenario/parts.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

namespace {

using forms::Words;

template <class Enum>
void parse_choice(Words& words, Enum& value, std::uint8_t count, std::string_view what) {
  std::string_view wanted = words.word();
  for (std::uint8_t i = 0; i < count; ++i) {
    value = static_cast<Enum>(i);
    if (name(value) == wanted) return;
  }
  words.fail("no " + std::string(what) + " is called '" + std::string(wanted) + "'");
}

constexpr std::int64_t kWord = std::numeric_limits<std::uint32_t>::max();

void parse_name(Words& words, Name& into) {
  if (words.take("long")) {
    into.kind = NameKind::long_text;
    words.number(into.length, 1, kMaxLongName);
    std::string_view letter = words.word();
    if (letter.size() != 1 || letter[0] < 'a' || letter[0] > 'h')
      return words.fail("a long name repeats a letter a..h");
    into.index = static_cast<std::uint8_t>(letter[0] - 'a');
    return;
  }
  std::optional<std::string_view> bytes = words.quoted();
  if (!bytes) return words.fail("expected a name in quotes");
  if (!find_name(*bytes, into)) words.fail("no family of names has \"" + std::string(*bytes) + "\"");
}

void parse_memfd(Words& words, Entry& entry) {
  words.expect("bytes");
  words.number(entry.value, 0, kMaxMemfdBytes);
  words.expect("offset");
  words.number(entry.offset, 0, entry.value);
  words.expect("seals");
  words.number(entry.seals, 0, kAllSeals);
}

void parse_value(Words& words, Entry& entry, std::size_t position) {
  switch (entry.object) {
    case Object::eventfd:
      words.expect("counter");
      return words.number(entry.value, 0, kWord);
    case Object::memfd:
      return parse_memfd(words, entry);
    case Object::vfio_group:
    case Object::vfio_device:
      return words.number(entry.value, 0, 255);
    case Object::same_as:
      if (position == 0) return words.fail("the first entry cannot be the same as an earlier one");
      return words.number(entry.value, 0, static_cast<std::int64_t>(position) - 1);
    default:
      return;
  }
}

void parse_entry(Words& words, Scenario& scenario) {
  if (scenario.entries.size() == kMaxEntries)
    return words.fail("more than " + std::to_string(kMaxEntries) + " entries");
  Entry entry;
  parse_name(words, entry.name);
  words.expect("id");
  words.number(entry.id, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max());
  parse_choice(words, entry.object, kObjects, "object");
  parse_value(words, entry, scenario.entries.size());
  if (words.take("nonblocking")) entry.flags |= kNonBlocking;
  if (words.take("semaphore")) entry.flags |= kSemaphore;
  if (words.take("kept-on-exec")) entry.flags |= kKeptOnExec;
  Entry normal = entry;
  normalise(normal, scenario.entries.size());
  if (normal != entry) words.fail("a " + std::string(name(entry.object)) + " has no such flag");
  scenario.entries.push_back(entry);
}

void parse_device(Words& words, Scenario& scenario) {
  if (scenario.devices.size() == kMaxDevices)
    return words.fail("more than " + std::to_string(kMaxDevices) + " devices");
  Device device;
  Name name;
  parse_name(words, name);
  if (name.kind != NameKind::device) words.fail("a device is called \"0000:3a:00.N\"");
  device.index = name.index;
  words.expect("devid");
  words.number(device.devid, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max());
  words.expect("ioas");
  words.number(device.ioas_id, 0, kWord);
  words.expect("hwpt");
  words.number(device.hwpt_id, 0, kWord);
  scenario.devices.push_back(device);
}

void parse_claim(Words& words, Scenario& scenario) {
  if (scenario.claims.size() == kMaxClaims) return words.fail("more than " + std::to_string(kMaxClaims) + " claims");
  if (scenario.claiming != Claiming::listed) return words.fail("'claiming listed' must come before the first claim");
  words.expect("entry");
  words.number(scenario.claims.emplace_back(), 0, kMaxEntries - 1);
}

void parse_fault(Words& words, Event& event) {
  std::string_view wanted = words.word();
  for (const machine::FaultRule& rule : machine::fault_table()) {
    if (rule.name != wanted) continue;
    event.operand = static_cast<std::uint32_t>(rule.point);
    if (words.take("times")) words.number(event.times, 1, 255);
    return;
  }
  words.fail("no fault point is called '" + std::string(wanted) + "'");
}

void parse_operand(Words& words, Event& event) {
  switch (event.action) {
    case Action::fault:
      return parse_fault(words, event);
    case Action::advance:
      words.number(event.operand, 0, kWord);
      return words.expect("us");
    case Action::signal:
    case Action::drop_entry:
      words.expect("entry");
      return words.number(event.operand, 0, kMaxEntries - 1);
    default:
      return;
  }
}

void parse_event(Words& words, Scenario& scenario) {
  if (scenario.events.size() == kMaxEvents) return words.fail("more than " + std::to_string(kMaxEvents) + " events");
  Event event;
  std::uint8_t handover = 0;
  words.number(handover, 1, scenario.handovers);
  event.handover = static_cast<std::uint8_t>(handover - 1);
  words.expect("call");
  words.number(event.call, 0, kMaxPinnedCall);
  parse_choice(words, event.action, kActions, "action");
  if (!words.failed()) parse_operand(words, event);
  scenario.events.push_back(event);
}

void parse_timeout(Words& words, std::uint16_t& timeout) {
  words.number(timeout, 1, std::numeric_limits<std::uint16_t>::max());
  words.expect("ms");
}

void parse_socket_buffer(Words& words, Scenario& scenario) {
  words.number(scenario.socket_buffer, 256, 212992);
  words.expect("bytes");
}

void parse_line(Words& words, Scenario& scenario) {
  std::string_view key = words.word();
  if (key == "save") return parse_entry(words, scenario);
  if (key == "device") return parse_device(words, scenario);
  if (key == "claim") return parse_claim(words, scenario);
  if (key == "at") return parse_event(words, scenario);
  if (key == "mode") return parse_choice(words, scenario.mode, kModes, "mode");
  if (key == "accept") return parse_choice(words, scenario.accept, kAccepts, "peer");
  if (key == "claiming") return parse_choice(words, scenario.claiming, kClaimings, "way of claiming");
  if (key == "handovers") return words.number(scenario.handovers, 1, kMaxHandovers);
  if (key == "descriptor-limit") return words.number(scenario.descriptor_limit, 8, 1024);
  if (key == "socket-buffer") return parse_socket_buffer(words, scenario);
  if (key == "turns") return words.number(scenario.turns, 0, kWord);
  if (key == "connect-timeout") return parse_timeout(words, scenario.connect_timeout);
  if (key == "transfer-timeout") return parse_timeout(words, scenario.transfer_timeout);
  if (key == "hang-up-timeout") return parse_timeout(words, scenario.hang_up_timeout);
  words.fail("unknown word '" + std::string(key) + "'");
}

/// References forward are known only at the end: an entry that nobody saved is a mistake of the writer.
std::string check_references(const Scenario& scenario) {
  for (std::uint16_t claim : scenario.claims) {
    if (claim >= scenario.entries.size()) return "claim of entry " + std::to_string(claim) + ", which is not saved";
  }
  for (const Event& event : scenario.events) {
    if (refers_to_entry(event) && event.operand >= scenario.entries.size()) {
      return "event on entry " + std::to_string(event.operand) + ", which is not saved";
    }
  }
  return {};
}

std::unexpected<ParseError> wrong(std::size_t line, std::string reason) {
  return std::unexpected(ParseError{line, std::move(reason)});
}

}  // namespace

std::string ParseError::message() const {
  return "line " + std::to_string(line) + ": " + reason;
}

std::expected<Scenario, ParseError> parse(std::string_view text) {
  Scenario scenario;
  bool titled = false;
  std::size_t number = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    Words words(line);
    ++number;
    if (words.at_end()) continue;
    if (titled) parse_line(words, scenario);
    if (!titled) {
      for (std::string_view part : {"vcpr", "scenario", "1"}) words.expect(part);
      titled = true;
    }
    if (!words.failed() && !words.at_end()) words.fail("too much: '" + std::string(words.word()) + "'");
    if (words.failed()) return wrong(number, words.reason());
  }
  if (!titled) return wrong(1, "a scenario begins with 'vcpr scenario 1'");
  if (std::string reason = check_references(scenario); !reason.empty()) return wrong(number, reason);
  normalise(scenario);
  return scenario;
}

}  // namespace vcpr::scenario
