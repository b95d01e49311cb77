#include "properties/streams/transfer_input.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "engine/store/descriptor_kind.hpp"
#include "properties/streams/mutate.hpp"
#include "properties/streams/random.hpp"

namespace vcpr::streams {

namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {'Q', 'C', 'P', 'R'};
constexpr std::array<std::string_view, 3> kPeerNames = {"current", "QEMU 10.0", "stub"};
constexpr std::array<std::string_view, 4> kEndingNames = {"half-close", "close", "silence", "kill"};

/// 0, 1, 2 ... then, from 128 on, -128 ...: small numbers of both signs, none for 0.
int signed_modulo_8(std::uint8_t byte) {
  return byte < 128 ? byte % 8 : -(256 - byte) % 8;
}

}  // namespace

bool is_recorded(std::span<const std::uint8_t> input) {
  return input.size() >= kMagic.size() && std::ranges::equal(input.first(kMagic.size()), kMagic);
}

TransferInput decode_transfer(std::span<const std::uint8_t> input) {
  TransferInput decoded;
  if (!is_recorded(input)) {
    std::array<std::uint8_t, kHeaderBytes> header{};
    std::size_t given = std::min(input.size(), header.size());
    std::ranges::copy(input.first(given), header.begin());
    input = input.subspan(given);
    decoded.peer = static_cast<handover::Peer>(header[0] % 3);
    decoded.ending = static_cast<Ending>(header[0] / 3 % 4);
    decoded.surplus = signed_modulo_8(header[1]);
    decoded.together = header[2];
    decoded.chunk = header[3];
    decoded.odd_entry = header[4] / 16;
    decoded.odd_kind = header[4] % 16 % 9;
    decoded.late = header[5] % 16;
    decoded.messages_per_step = header[5] / 16;
    decoded.descriptor_limit = header[6];
    decoded.one_description = header[7] % 2 == 1;
  }
  decoded.stream = std::as_bytes(input);
  return decoded;
}

bool needs_socket(const TransferInput& input) {
  return input.ending != Ending::half_close || input.chunk != 0 || input.messages_per_step != 0 ||
         input.descriptor_limit != 0;
}

std::string describe(const TransferInput& input) {
  std::string text = "peer ";
  text += kPeerNames[static_cast<std::size_t>(input.peer)];
  text += ", then ";
  text += kEndingNames[static_cast<std::size_t>(input.ending)];
  auto add = [&](std::string_view label, long value) {
    if (value != 0) text += ", " + std::string(label) + ' ' + std::to_string(value);
  };
  add("surplus descriptors", input.surplus);
  add("riding together", input.together);
  add("bytes a message", input.chunk);
  add("late by bytes", input.late);
  add("messages between steps", input.messages_per_step);
  add("descriptor limit", input.descriptor_limit);
  if (input.odd_kind != 0) {
    text += ", entry " + std::to_string(input.odd_entry) + " comes as ";
    text += store::name(static_cast<store::DescriptorKind>(input.odd_kind));
  }
  if (input.one_description) text += ", all one description";
  return text + ", " + std::to_string(input.stream.size()) + " bytes";
}

namespace {

/// Gives a recorded stream a header of zeros, so that there is something to change; nothing where it does not fit.
std::size_t add_header(std::uint8_t* data, std::size_t size, std::size_t capacity) {
  if (size + kHeaderBytes > capacity) return size;
  std::memmove(data + kHeaderBytes, data, size);
  std::memset(data, 0, kHeaderBytes);
  return size + kHeaderBytes;
}

}  // namespace

std::size_t mutate_input(StreamKind kind, std::uint8_t* data, std::size_t size, std::size_t capacity,
                         std::uint32_t seed) {
  Random random(seed);
  bool on_header = random.one_in(4);
  if (on_header && is_recorded({data, size})) size = add_header(data, size, capacity);
  if (is_recorded({data, size})) return mutate(kind, data, size, capacity, seed);
  std::size_t header = std::min(size, kHeaderBytes);
  if (on_header && header > 0) {
    data[random.below(header)] = static_cast<std::uint8_t>(random.one_in(3) ? 0 : random.below(256));
    return size;
  }
  return header + mutate(kind, data + header, size - header, capacity - header, seed);
}

}  // namespace vcpr::streams
