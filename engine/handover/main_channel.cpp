#include "engine/handover/main_channel.hpp"

#include <algorithm>

#include "engine/wire/inbox.hpp"
#include "engine/wire/reader.hpp"

namespace vcpr::handover {

namespace {

constexpr std::size_t kLengthAt = 8;

std::string printable(std::span<const std::byte> bytes) {
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::ranges::replace_if(text, [](char each) { return each < ' ' || each > '~'; }, '?');
  return text;
}

}  // namespace

void open_frame(wire::Writer& out) {
  out.be32(kFrameMagic);
  out.be32(kFrameVersion);
  out.be64(0);
}

void close_frame(std::span<std::byte> frame_and_stream) {
  wire::Outbox length;
  wire::Writer(length).be64(frame_and_stream.size() - kFrameBytes);
  std::ranges::copy(length.bytes, frame_and_stream.begin() + kLengthAt);
}

Expected<std::optional<Opening>> read_opening(std::span<const std::byte> arrived) {
  wire::Reader in(arrived);
  Expected<std::uint32_t> magic = in.be32("magic");
  if (!magic) return std::nullopt;
  if (*magic != kFrameMagic) return Opening{};
  if (arrived.size() < kFrameBytes) return std::nullopt;
  std::uint32_t version = in.be32("version").value_or(0);
  if (version != kFrameVersion) {
    return refuse_at(ErrorCode::bad_version, 4,
                     {"frame version ", Decimal(version), ", only ", Decimal(kFrameVersion), " is known"});
  }
  std::uint64_t bytes = in.be64("length").value_or(0);
  if (bytes > wire::kMaxStateBytes) {
    return refuse_at(ErrorCode::too_long, kLengthAt,
                     {"a main stream of ", Decimal(bytes), " bytes, more than ", Decimal(wire::kMaxStateBytes)});
  }
  return Opening{.is_framed = true, .bytes = bytes};
}

std::vector<std::byte> encode(Answer answer, std::string_view text) {
  text = text.substr(0, kMaxAnswerText);
  wire::Outbox out;
  wire::Writer writer(out);
  writer.u8(static_cast<std::uint8_t>(answer));
  writer.be32(static_cast<std::uint32_t>(text.size()));
  writer.text(text);
  return std::move(out.bytes);
}

Expected<std::optional<Reply>> read_reply(std::span<const std::byte> arrived) {
  wire::Reader in(arrived);
  Expected<std::uint8_t> answer = in.u8("answer");
  if (!answer) return std::nullopt;
  if (*answer != static_cast<std::uint8_t>(Answer::loaded) && *answer != static_cast<std::uint8_t>(Answer::refused)) {
    return refuse_at(ErrorCode::bad_value, 0, {"answer ", Decimal(std::uint32_t{*answer})});
  }
  Expected<std::uint32_t> length = in.be32("length");
  if (!length) return std::nullopt;
  if (*length > kMaxAnswerText) {
    return refuse_at(ErrorCode::too_long, 1, {"an answer of ", Decimal(*length), " bytes"});
  }
  Expected<std::span<const std::byte>> text = in.bytes(*length, "text");
  if (!text) return std::nullopt;
  if (!in.at_end()) return refuse_at(ErrorCode::trailing_bytes, in.offset(), {"bytes follow the answer"});
  return Reply{.answer = static_cast<Answer>(*answer), .text = printable(*text)};
}

Expected<std::optional<Word>> read_word(std::span<const std::byte> arrived) {
  if (arrived.empty()) return std::nullopt;
  if (arrived.size() > 1) return refuse_at(ErrorCode::trailing_bytes, 1, {"bytes follow the last word"});
  auto word = std::to_integer<std::uint8_t>(arrived.front());
  if (word == static_cast<std::uint8_t>(Word::go)) return Word::go;
  if (word == static_cast<std::uint8_t>(Word::abort)) return Word::abort;
  return refuse_at(ErrorCode::bad_value, 0, {"last word ", Decimal(std::uint32_t{word})});
}

}  // namespace vcpr::handover
