#include <algorithm>

#include "properties/forms/bytes.hpp"
#include "properties/scenario/parts.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

namespace {

using forms::Decoder;
using forms::Encoder;

// The order of fields, once for both directions.

template <class Coder, class ScenarioRef>
void code_config(Coder& coder, ScenarioRef& scenario, std::uint8_t version) {
  coder.field(version);
  coder.field(scenario.mode);
  coder.field(scenario.accept);
  coder.field(scenario.handovers, 1);
  coder.field(scenario.claiming);
  coder.field(scenario.descriptor_limit, 1024);
  coder.field(scenario.socket_buffer, 212992);
  coder.field(scenario.turns);
  coder.field(scenario.connect_timeout, 5000);
  coder.field(scenario.transfer_timeout, 5000);
  coder.field(scenario.hang_up_timeout, 30000);
}

template <class Coder, class EntryRef>
void code_entry(Coder& coder, EntryRef& entry) {
  coder.field(entry.object);
  coder.field(entry.name.kind);
  coder.field(entry.name.index);
  coder.field(entry.flags);
  coder.field(entry.id);
  coder.field(entry.value);
  coder.field(entry.offset);
  coder.field(entry.name.length);
  coder.field(entry.seals);
}

template <class Coder, class DeviceRef>
void code_device(Coder& coder, DeviceRef& device) {
  coder.field(device.index);
  coder.field(device.devid, 1);
  coder.field(device.ioas_id, 1);
  coder.field(device.hwpt_id, 1);
}

template <class Coder, class EventRef>
void code_event(Coder& coder, EventRef& event) {
  coder.field(event.handover);
  coder.field(event.action);
  coder.field(event.times, 1);
  coder.field(event.call);
  coder.field(event.operand);
}

enum class RecordKind : std::uint8_t { entry, event, device, claim };
constexpr std::uint8_t kRecordKinds = 4;

void decode_record(std::span<const std::uint8_t> bytes, Scenario& scenario) {
  Decoder decoder(bytes);
  std::uint8_t kind = 0;
  decoder.field(kind);
  switch (static_cast<RecordKind>(kind % kRecordKinds)) {
    case RecordKind::entry:
      return code_entry(decoder, scenario.entries.emplace_back());
    case RecordKind::event:
      return code_event(decoder, scenario.events.emplace_back());
    case RecordKind::device:
      return code_device(decoder, scenario.devices.emplace_back());
    case RecordKind::claim:
      return decoder.field(scenario.claims.emplace_back());
  }
}

/// Appends one record: its kind, what `body` writes, zeros up to the size.
template <class Body>
void encode_record(std::vector<std::uint8_t>& bytes, RecordKind kind, Body body) {
  std::size_t end = bytes.size() + kRecordBytes;
  Encoder encoder(bytes);
  encoder.field(kind);
  body(encoder);
  bytes.resize(end);
}

}  // namespace

Scenario decode(std::span<const std::uint8_t> bytes) {
  Scenario scenario;
  std::span<const std::uint8_t> config = bytes.first(std::min(bytes.size(), kConfigBytes));
  Decoder decoder(config);
  code_config(decoder, scenario, kVersion);
  std::size_t most = kMaxEntries + kMaxDevices + kMaxClaims + kMaxEvents;
  for (std::size_t at = kConfigBytes; at < bytes.size() && most > 0; at += kRecordBytes, --most) {
    decode_record(bytes.subspan(at, std::min(kRecordBytes, bytes.size() - at)), scenario);
  }
  normalise(scenario);
  return scenario;
}

std::vector<std::uint8_t> encode(const Scenario& scenario) {
  Scenario normal = scenario;
  normalise(normal);
  std::size_t records = normal.entries.size() + normal.devices.size() + normal.claims.size() + normal.events.size();
  std::vector<std::uint8_t> bytes;
  bytes.reserve(kConfigBytes + records * kRecordBytes);
  Encoder encoder(bytes);
  code_config(encoder, normal, kVersion);
  bytes.resize(kConfigBytes);
  for (const Entry& entry : normal.entries)
    encode_record(bytes, RecordKind::entry, [&](Encoder& coder) { code_entry(coder, entry); });
  for (const Device& device : normal.devices)
    encode_record(bytes, RecordKind::device, [&](Encoder& coder) { code_device(coder, device); });
  for (std::uint16_t claim : normal.claims)
    encode_record(bytes, RecordKind::claim, [&](Encoder& coder) { coder.field(claim); });
  for (const Event& event : normal.events)
    encode_record(bytes, RecordKind::event, [&](Encoder& coder) { code_event(coder, event); });
  return bytes;
}

}  // namespace vcpr::scenario
