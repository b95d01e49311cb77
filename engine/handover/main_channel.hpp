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
#pragma once

#include <cstddef>
#include <cstdint>

namespace vcpr::handover {

inline constexpr std::byte kOffer{0x76};
inline constexpr std::uint32_t kFrameMagic = 0x76637072;  ///< "vcpr"; a plain stream begins with "QEVM"
inline constexpr std::uint32_t kFrameVersion = 1;
inline constexpr std::size_t kFrameBytes = 16;
enum class Answer : std::uint8_t { loaded = 1, refused = 2 };
/// Longest text of an answer.
inline constexpr std::uint32_t kMaxAnswerText = 4096;
enum class Word : std::uint8_t { go = 1, abort = 2 };

}  // namespace vcpr::handover
