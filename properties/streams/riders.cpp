#include "properties/streams/riders.hpp"

namespace vcpr::streams {

namespace {

std::uint32_t be32(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

}  // namespace

std::optional<Rider> Riders::next() {
  const std::byte* marker = good_ ? reader_.take(1) : nullptr;
  good_ = marker && *marker != std::byte{0};
  const std::byte* length = good_ ? reader_.take(4) : nullptr;
  const std::byte* name = length ? reader_.take(be32(length)) : nullptr;
  const std::byte* id = name ? reader_.take(4) : nullptr;
  const std::byte* rides = id ? reader_.take(encoding_ == handover::Encoding::transfer ? 1 : 4) : nullptr;
  good_ = rides != nullptr;
  if (!good_) return std::nullopt;

  Rider rider;
  rider.name = {reinterpret_cast<const char*>(name), be32(length)};
  if (rider.name.ends_with('\0')) rider.name.remove_suffix(1);
  rider.id = static_cast<std::int32_t>(be32(id));
  rider.offset = reader_.offset() - (encoding_ == handover::Encoding::transfer ? 1 : 4);
  if (encoding_ == handover::Encoding::exec) rider.number = static_cast<std::int32_t>(be32(rides));
  return rider;
}

}  // namespace vcpr::streams
