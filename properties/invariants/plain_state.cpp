#include "properties/invariants/plain_state.hpp"

#include <algorithm>
#include <string_view>

namespace vcpr::invariants {

namespace {

/// Takes bytes from the front; after the first that is missing or not as expected, `good` stays false.
struct Cursor {
  std::span<const std::byte> rest;
  bool good = true;

  std::span<const std::byte> take(std::size_t count) {
    good = good && count <= rest.size();
    if (!good) return {};
    std::span<const std::byte> taken = rest.first(count);
    rest = rest.subspan(count);
    return taken;
  }
  std::uint32_t big_endian(std::size_t size) {
    std::uint32_t value = 0;
    for (std::byte byte : take(size)) value = value << 8 | std::to_integer<std::uint32_t>(byte);
    return value;
  }
  void expect(std::size_t size, std::uint32_t value) { good = big_endian(size) == value && good; }
  /// The next byte of a list: 1 for one more element, 0 for its end.
  bool more() {
    std::uint32_t marker = big_endian(1);
    good = good && marker <= 1;
    return good && marker == 1;
  }
  std::string name() {
    std::span<const std::byte> bytes = take(big_endian(4));
    std::string name(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    good = good && name.size() > 1 && name.find('\0') == name.size() - 1;
    if (good) name.pop_back();
    return name;
  }
  void expect_text(std::string_view wanted) {
    auto bytes = std::as_bytes(std::span(wanted));
    good = std::ranges::equal(take(wanted.size()), bytes) && good;
  }
};

constexpr std::string_view kDeviceSubsection = "CprState/vfio devices";

PlainEntry read_entry(Cursor& cursor, handover::Encoding encoding) {
  PlainEntry entry;
  entry.name = cursor.name();
  entry.id = static_cast<std::int32_t>(cursor.big_endian(4));
  if (encoding == handover::Encoding::exec) cursor.take(4);
  if (encoding == handover::Encoding::transfer) cursor.expect(1, 0x20);
  return entry;
}

PlainDevice read_device(Cursor& cursor) {
  PlainDevice device;
  device.name = cursor.name();
  device.devid = static_cast<std::int32_t>(cursor.big_endian(4));
  device.ioas_id = cursor.big_endian(4);
  device.hwpt_id = cursor.big_endian(4);
  return device;
}

void sort(PlainState& state) {
  std::ranges::sort(state.entries);
  std::ranges::sort(state.devices);
}

}  // namespace

std::optional<PlainState> read_plainly(std::span<const std::byte> stream, handover::Encoding encoding) {
  Cursor cursor{stream};
  PlainState state;
  cursor.expect_text("QCPR");
  cursor.expect(4, 1);
  while (cursor.more()) state.entries.push_back(read_entry(cursor, encoding));
  cursor.expect(1, 5);
  cursor.expect(1, static_cast<std::uint32_t>(kDeviceSubsection.size()));
  cursor.expect_text(kDeviceSubsection);
  cursor.expect(4, 1);
  while (cursor.more()) state.devices.push_back(read_device(cursor));
  if (!cursor.good || !cursor.rest.empty()) return std::nullopt;
  sort(state);
  return state;
}

PlainState plain(const handover::CprState& state) {
  PlainState plain;
  for (store::Entry entry : state.descriptors) plain.entries.push_back({std::string(entry.key.name), entry.key.id});
  for (store::DeviceRecords::Record record : state.devices) {
    plain.devices.push_back({std::string(record.device), record.ids.devid, record.ids.ioas_id, record.ids.hwpt_id});
  }
  sort(plain);
  return plain;
}

std::string text(const PlainState& state) {
  std::string text = std::to_string(state.entries.size()) + " entries:";
  for (const PlainEntry& entry : state.entries) text += " " + quoted(entry.name) + " " + std::to_string(entry.id) + ",";
  text += " " + std::to_string(state.devices.size()) + " devices:";
  for (const PlainDevice& device : state.devices) {
    text += " " + quoted(device.name) + " " + std::to_string(device.devid) + "/" + std::to_string(device.ioas_id) +
            "/" + std::to_string(device.hwpt_id) + ",";
  }
  return text;
}

}  // namespace vcpr::invariants
