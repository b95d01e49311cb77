#include "properties/streams/exec_input.hpp"

#include <algorithm>
#include <array>

#include "engine/store/descriptor_kind.hpp"
#include "properties/streams/riders.hpp"
#include "properties/streams/stand_in.hpp"

namespace vcpr::streams {

namespace {

constexpr std::array<const char*, 16> kTexts = {
    nullptr,      "",           "-1",    "+3",  "03", " 3", "3 ", "3x", "0x3", "99", "0", "18446744073709551619",
    "4294967299", "2147483648", "three", "1023"};

/// The link of the memfd that ExecSource and QEMU make.
constexpr std::string_view kStateLink = "/memfd:QEMU_CPR_EXEC_STATE (deleted)";

machine::Described state_object(const ExecInput& input) {
  if (input.object_kind != 0) return stand_in(static_cast<store::DescriptorKind>(input.object_kind));
  machine::Described memfd;
  memfd.kind = machine::FileKind::memfd;
  memfd.link = kStateLink;
  memfd.size = input.stream.size();
  memfd.offset = input.position == 0 ? input.stream.size() : input.position;
  return memfd;
}

}  // namespace

std::span<const char* const> environment_texts() {
  return kTexts;
}

ExecInput decode_exec(std::span<const std::uint8_t> input) {
  ExecInput decoded;
  if (!is_recorded(input)) {
    std::array<std::uint8_t, kHeaderBytes> header{};
    std::size_t given = std::min(input.size(), header.size());
    std::ranges::copy(input.first(given), header.begin());
    input = input.subspan(given);
    decoded.peer = static_cast<handover::Peer>(header[0] % 3);
    decoded.variable = static_cast<std::uint8_t>(header[1] % (kTexts.size() + 1));
    decoded.position = header[2];
    decoded.object_kind = header[3] % 9;
    decoded.odd_entry = header[4] / 16;
    decoded.odd_kind = header[4] % 16 % 9;
    if (header[5] != 0) decoded.missing_entry = static_cast<std::uint8_t>((header[5] - 1) % 64 + 1);
    decoded.close_on_exec = header[6] % 2 == 1;
  }
  decoded.stream = std::as_bytes(input);
  return decoded;
}

std::string describe(const ExecInput& input) {
  std::string text = std::to_string(input.stream.size()) + " bytes";
  if (input.variable != 0) {
    const char* value = kTexts[input.variable - 1u];
    text += value ? ", the variable holds \"" + std::string(value) + '"' : ", the variable is absent";
  }
  if (input.position != 0) text += ", read to byte " + std::to_string(input.position);
  auto kind = [](std::uint8_t value) { return std::string(name(static_cast<store::DescriptorKind>(value))); };
  if (input.object_kind != 0) text += ", the state is a " + kind(input.object_kind);
  if (input.odd_kind != 0) text += ", entry " + std::to_string(input.odd_entry) + " is a " + kind(input.odd_kind);
  if (input.missing_entry != 0) text += ", entry " + std::to_string(input.missing_entry - 1) + " is closed";
  return text;
}

namespace {

void install_entries(machine::Process& process, const ExecInput& input) {
  Riders riders(input.stream, handover::Encoding::exec);
  for (std::size_t i = 0; auto rider = riders.next(); ++i) {
    if (rider->number < 0 || i + 1 == input.missing_entry) continue;
    bool odd = input.odd_kind != 0 && i == input.odd_entry;
    machine::Described description =
        odd ? stand_in(static_cast<store::DescriptorKind>(input.odd_kind)) : stand_in_for(rider->name);
    description.close_on_exec = input.close_on_exec;
    description.number = rider->number;
    (void)process.install(description);
  }
}

}  // namespace

int furnish(machine::Process& process, const ExecInput& input) {
  install_entries(process, input);
  int state = process.install(state_object(input));
  if (input.object_kind == 0) (void)process.fill(state, 0, input.stream);
  std::string number = std::to_string(state);
  const char* value = input.variable == 0 ? number.c_str() : kTexts[input.variable - 1u];
  if (value) (void)process.kernel().setenv(handover::kExecStateName, value);
  return state;
}

}  // namespace vcpr::streams
