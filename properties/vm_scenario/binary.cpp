#include <algorithm>

#include "properties/forms/bytes.hpp"
#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

namespace {

using forms::Decoder;
using forms::Encoder;

// The order of fields, once for both directions.

template <class Coder, class ScenarioRef>
void code_config(Coder& coder, ScenarioRef& scenario) {
  const Scenario usual;
  coder.field(scenario.without);
  coder.field(scenario.ram_blocks, usual.ram_blocks);
  coder.field(scenario.noexec);
  coder.field(scenario.socket_buffer, usual.socket_buffer);
  coder.field(scenario.turns);
}

template <class Coder, class DeviceRef>
void code(Coder& coder, DeviceRef& device)
  requires requires { device.model; }
{
  coder.field(device.model);
  coder.field(device.backend);
  coder.field(device.interrupt);
  coder.field(device.vectors, 1);
}

template <class Coder, class StepRef>
void code(Coder& coder, StepRef& step)
  requires requires { step.action; }
{
  coder.field(step.action);
  coder.field(step.pinned);
  coder.field(step.times, 1);
  coder.field(step.call);
  coder.field(step.operand);
}

/// Of a record; what is neither is a step, as there are more of them.
constexpr std::uint8_t kDevice = 0;
constexpr std::uint8_t kStep = 1;

void decode_record(std::span<const std::uint8_t> bytes, Scenario& scenario) {
  Decoder decoder(bytes);
  std::uint8_t kind = 0;
  decoder.field(kind);
  if (kind == kDevice) return code(decoder, scenario.devices.emplace_back());
  code(decoder, scenario.steps.emplace_back());
}

/// One record each: its kind, its fields, zeros up to the size.
template <class Item>
void encode_records(std::vector<std::uint8_t>& bytes, std::uint8_t kind, const std::vector<Item>& items) {
  for (const Item& item : items) {
    const std::size_t end = bytes.size() + kRecordBytes;
    Encoder encoder(bytes);
    encoder.field(kind);
    code(encoder, item);
    bytes.resize(end);
  }
}

}  // namespace

Scenario decode(std::span<const std::uint8_t> bytes) {
  Scenario scenario;
  Decoder decoder(bytes.first(std::min(bytes.size(), kConfigBytes)));
  code_config(decoder, scenario);
  std::size_t most = kMaxDevices + kMaxSteps;
  for (std::size_t at = kConfigBytes; at < bytes.size() && most > 0; at += kRecordBytes, --most)
    decode_record(bytes.subspan(at, std::min(kRecordBytes, bytes.size() - at)), scenario);
  normalise(scenario);
  return scenario;
}

std::vector<std::uint8_t> encode(const Scenario& scenario) {
  Scenario normal = scenario;
  normalise(normal);
  std::vector<std::uint8_t> bytes;
  bytes.reserve(kConfigBytes + kRecordBytes * (normal.devices.size() + normal.steps.size()));
  Encoder encoder(bytes);
  code_config(encoder, normal);
  bytes.resize(kConfigBytes);
  encode_records(bytes, kDevice, normal.devices);
  encode_records(bytes, kStep, normal.steps);
  return bytes;
}

}  // namespace vcpr::vm_scenario
