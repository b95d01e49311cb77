#include "engine/wire/reader.hpp"

namespace vcpr::wire {

std::unexpected<Error> Reader::truncated(std::uint64_t wanted, std::string_view what) const {
  return refuse_at(ErrorCode::truncated, offset_,
                   {what, " ends after ", Decimal(remaining()), " of ", Decimal(wanted), " bytes"});
}

Expected<std::span<const std::byte>> Reader::bytes(std::uint64_t count, std::string_view what) {
  if (remaining() < count) return truncated(count, what);
  auto field = bytes_.subspan(offset_, count);
  offset_ += count;
  return field;
}

Expected<std::string_view> Reader::counted_string(std::string_view what) {
  if (at_end()) return truncated(1, what);
  std::uint64_t length = std::to_integer<std::uint64_t>(bytes_[offset_]);
  if (remaining() - 1 < length) return truncated(1 + length, what);
  auto field = bytes_.subspan(offset_ + 1, length);
  offset_ += 1 + length;
  return std::string_view(reinterpret_cast<const char*>(field.data()), field.size());
}

Expected<os::Fd> Reader::descriptor(std::string_view what) {
  if (os::Fd* taken = take_descriptor()) return std::move(*taken);
  if (at_end()) return truncated(1, what);
  if (bytes_[offset_] != kServiceByte) {
    return refuse_at(
        ErrorCode::bad_service_byte, offset_,
        {what, ": the byte of a descriptor is ", Decimal(std::to_integer<std::uint32_t>(bytes_[offset_])), ", not 32"});
  }
  if (descriptors_.empty()) return refuse_at(ErrorCode::missing_descriptor, offset_, {what, ": no descriptor came"});
  return refuse_at(ErrorCode::missing_descriptor, offset_,
                   {what, ": the next descriptor came later, with byte ", Decimal(descriptors_.front().first_byte)});
}

}  // namespace vcpr::wire
