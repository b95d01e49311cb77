// The main channel between two vcpr: the plain main stream in a frame, an answer back, and a last word. A QEMU on
// either side sees nothing of it.
//
//   target -> source  kOffer, on the CPR socket before it hangs up (a QEMU source never reads it)
//   source -> target  frame { be32 kFrameMagic, be32 kFrameVersion, be64 bytes }, then the main stream
//   target -> source  answer { u8 Answer, be32 bytes, text }: everything is taken over, or why not
//   source -> target  u8 Word: go, or abort
//
// A target runs the guest on go, or when the source is gone without a word: it closes this channel only after one, so
// then it is dead. On abort the target gives up and closes. A source that has not said go has not given the VM away.
// One that has not sent the whole frame has said abort by closing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/wire/writer.hpp"

namespace vcpr::handover {

inline constexpr std::byte kOffer{0x76};
inline constexpr std::uint32_t kFrameMagic = 0x76637072;  ///< "vcpr"; a plain stream begins with "QEVM"
inline constexpr std::uint32_t kFrameVersion = 1;
inline constexpr std::size_t kFrameBytes = 16;
/// Answer, length of the text.
inline constexpr std::size_t kAnswerHeadBytes = 5;
enum class Answer : std::uint8_t { loaded = 1, refused = 2 };
/// Longest text of an answer.
inline constexpr std::uint32_t kMaxAnswerText = 4096;
enum class Word : std::uint8_t { go = 1, abort = 2 };

/// The frame of a stream whose length is not known yet; close_frame() writes it in.
void open_frame(wire::Writer& out);
void close_frame(std::span<std::byte> frame_and_stream);

/// How a main stream begins.
struct Opening {
  bool is_framed = false;
  std::uint64_t bytes = 0;  ///< of the stream in the frame, at most wire::kMaxStateBytes
};
/// Nothing while too little has arrived to tell. bad_version, too_long.
Expected<std::optional<Opening>> read_opening(std::span<const std::byte> arrived);

struct Reply {
  Answer answer{};
  std::string text;  ///< printable, whatever was sent
};
/// Cuts the text at kMaxAnswerText.
std::vector<std::byte> encode(Answer answer, std::string_view text);
/// Nothing while it is not complete. bad_value, too_long, trailing_bytes.
Expected<std::optional<Reply>> read_reply(std::span<const std::byte> arrived);
/// bad_value; trailing_bytes.
Expected<std::optional<Word>> read_word(std::span<const std::byte> arrived);

}  // namespace vcpr::handover
