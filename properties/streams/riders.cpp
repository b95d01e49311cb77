#include "properties/streams/riders.hpp"

#include "engine/wire/reader.hpp"

namespace vcpr::streams {

namespace {

std::uint32_t be32(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

/// Reads one entry behind its marker; false when the stream does not hold all of it.
bool read_rider(wire::Reader& reader, handover::Encoding encoding, Rider& rider) {
  const std::byte* length = reader.take(4);
  if (!length) return false;
  const std::byte* name = reader.take(be32(length));
  if (!name || !reader.take(4)) return false;
  rider.name = {reinterpret_cast<const char*>(name), be32(length)};
  if (rider.name.ends_with('\0')) rider.name.remove_suffix(1);
  rider.offset = reader.offset();
  if (encoding == handover::Encoding::transfer) return reader.take(1) != nullptr;
  const std::byte* number = reader.take(4);
  if (number) rider.number = static_cast<std::int32_t>(be32(number));
  return number != nullptr;
}

}  // namespace

std::size_t find_riders(std::span<const std::byte> stream, handover::Encoding encoding, std::span<Rider> riders) {
  wire::Reader reader(stream);
  std::size_t count = 0;
  if (!reader.take(8)) return count;  // magic and version
  while (count < riders.size()) {
    const std::byte* marker = reader.take(1);
    if (!marker || *marker == std::byte{0} || !read_rider(reader, encoding, riders[count])) break;
    ++count;
  }
  return count;
}

}  // namespace vcpr::streams
