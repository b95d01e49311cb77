// Every CPR state recorded over a socket, damaged in every way: a new process refuses it, times out, or has the state.
#include <gtest/gtest.h>

#include "engine/handover/transfer.hpp"
#include "engine/os/abi.hpp"
#include "engine/store/descriptor_kind.hpp"
#include "properties/bad_input/allocations.hpp"
#include "properties/bad_input/new_process.hpp"
#include "properties/streams/damage.hpp"
#include "properties/streams/stream_sender.hpp"
#include "source_dir.hpp"

namespace vcpr::bad_input {
namespace {

class TransferBadInput : public ::testing::Test {
 protected:
  std::vector<Capture> all_ = captures(VCPR_SOURCE_DIR "/corpus/captures", streams::StreamKind::transfer);

  static Case whole(const Capture& capture, std::string what) {
    return {capture, std::move(what), capture.bytes, right_descriptors(seats(capture.bytes, capture.encoding())),
            End::half_close};
  }
  /// For each capture and each of its seats.
  template <class Spoil>
  void for_each_seat(const std::string& what, Spoil spoil) {
    for (const Capture& capture : all_) {
      std::size_t size = seats(capture.bytes, capture.encoding()).size();
      for (std::size_t at = 0; at < size; ++at) {
        Case bad = whole(capture, what + " at entry " + std::to_string(at));
        spoil(bad, at);
        play_socket(bad);
      }
    }
  }
};

TEST_F(TransferBadInput, NoneIsAccepted) {
  ASSERT_GE(all_.size(), 12u);
  for (const Capture& capture : all_) play_socket(whole(capture, "undamaged"));
}

TEST_F(TransferBadInput, EndsAtAnyByte) {
  for (const Capture& capture : all_) {
    for (std::size_t size = 0; size < capture.bytes.size(); ++size) {
      Case bad = whole(capture, "closed after " + std::to_string(size));
      bad.bytes.resize(size);
      play_socket(bad);
    }
  }
}

TEST_F(TransferBadInput, FallsSilentAtAnyByte) {
  for (const Capture& capture : all_) {
    for (std::size_t size = 0; size <= capture.bytes.size(); ++size) {
      Case bad = whole(capture, "silent after " + std::to_string(size));
      bad.bytes.resize(size);
      bad.end = End::silence;
      play_socket(bad);
    }
  }
}

TEST_F(TransferBadInput, HasAnyByteChanged) {
  for (const Capture& capture : all_) {
    bool small = capture.bytes.size() <= 200;
    for (std::size_t at = 0; at < capture.bytes.size(); ++at) {
      for (unsigned flip : {0x01u, 0x02u, 0x04u, 0x10u, 0x20u, 0x25u, 0x80u, 0xffu}) {
        Case bad = whole(capture, "byte " + std::to_string(at) + " xor " + std::to_string(flip));
        bad.bytes[at] ^= std::byte(flip);
        play_loader(bad);
      }
      for (unsigned value = 0; small && value < 256; ++value) {
        if (capture.bytes[at] == std::byte(value)) continue;
        Case bad = whole(capture, "byte " + std::to_string(at) + " = " + std::to_string(value));
        bad.bytes[at] = std::byte(value);
        play_loader(bad);
      }
    }
  }
}

TEST_F(TransferBadInput, HasAnyFieldAtItsEdges) {
  for (const Capture& capture : all_) {
    streams::FieldMap map(capture.bytes, capture.kind);
    streams::for_each_damage(capture.bytes, map, [&](const streams::Damage& damage) {
      Case bad = whole(capture, describe(map, damage));
      streams::apply(bad.bytes, map, damage);
      if (bad.bytes == capture.bytes) return;
      play_loader(bad);
      bad.sent = right_descriptors(seats(bad.bytes, handover::Encoding::transfer));
      bad.what += ", descriptors as it asks";
      play_loader(bad);
    });
  }
}

TEST_F(TransferBadInput, LacksADescriptor) {
  for_each_seat("missing", [](Case& bad, std::size_t at) { bad.sent.erase(bad.sent.begin() + static_cast<long>(at)); });
}

TEST_F(TransferBadInput, HasADescriptorTooMany) {
  for_each_seat("extra", [](Case& bad, std::size_t at) {
    bad.sent.insert(bad.sent.begin() + static_cast<long>(at), {bad.sent[at].offset, bad.sent[at].what});
  });
}

TEST_F(TransferBadInput, HasADescriptorLate) {
  for_each_seat("late", [](Case& bad, std::size_t at) {
    std::uint64_t last = bad.bytes.size() - 1;
    for (std::size_t i = at; i < bad.sent.size(); ++i) bad.sent[i].offset = std::min(bad.sent[i].offset + 1, last);
  });
}

TEST_F(TransferBadInput, HasDescriptorsEarly) {
  for_each_seat("early", [](Case& bad, std::size_t at) {
    for (std::size_t i = 0; i <= at; ++i) bad.sent[i].offset = bad.sent[0].offset;
  });
}

TEST_F(TransferBadInput, HasADescriptorTwice) {
  for_each_seat("twice", [](Case& bad, std::size_t at) {
    if (at == 0) return;
    bad.sent[at].same_as = at - 1;
    bad.when_accepted = "one description under two names";
  });
}

TEST_F(TransferBadInput, HasADescriptorOfAnyOtherKind) {
  using store::DescriptorKind;
  for (DescriptorKind kind :
       {DescriptorKind::eventfd, DescriptorKind::file, DescriptorKind::vfio_container, DescriptorKind::vfio_group,
        DescriptorKind::device, DescriptorKind::socket, DescriptorKind::pipe, DescriptorKind::other}) {
    for_each_seat("kind " + std::string(store::name(kind)),
                  [kind](Case& bad, std::size_t at) { replace_by(bad, at, kind); });
  }
}

TEST_F(TransferBadInput, RefusesNamesNoWriterSends) {
  const Capture& small = all_.front();
  for (std::uint32_t length : {0u, 1u, 1024u, 1025u, 65536u}) {
    Case bad = whole(small, "an entry whose name has " + std::to_string(length) + " bytes without a NUL");
    streams::Stream entry{std::byte{1}};
    for (unsigned shift : {24u, 16u, 8u, 0u}) entry.push_back(std::byte(length >> shift & 0xff));
    entry.insert(entry.end(), length, std::byte{'n'});
    entry.insert(entry.end(), {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0x20}});
    bad.bytes.insert(bad.bytes.begin() + 8, entry.begin(), entry.end());
    bad.sent = right_descriptors(seats(bad.bytes, handover::Encoding::transfer));
    play_loader(bad);
  }
}

/// Sends for ever; what it sends is made as it goes.
template <class Next>
Error endless(Next next, std::uint64_t& sent, std::size_t& peak) {
  machine::Machine machine;
  machine::Process& source = machine.spawn();
  auto [mine, theirs] = *source.kernel().socketpair(
      os::abi::af_unix, os::abi::sock_stream | os::abi::sock_nonblock | os::abi::sock_cloexec, 0);
  machine::Process& target = machine.fork(source);
  (void)source.kernel().close(theirs);
  (void)target.kernel().close(mine);
  Allocations allocations;
  handover::TransferTarget receiver(target.kernel(), os::Fd(target.kernel(), theirs),
                                    handover::TransferTarget::Given::connected);
  for (sent = 0; sent < 4 * wire::kMaxStateBytes;) {
    std::span<const std::byte> piece = next(sent);
    sent += source.kernel().sendmsg(mine, piece, {}, os::abi::msg_nosignal).value_or(0);
    Expected<handover::Advance> advance = receiver.advance();
    peak = allocations.peak();
    if (!advance) return advance.error();
  }
  return {ErrorCode::timed_out, "it took everything", {}, {}};
}

TEST_F(TransferBadInput, RefusesAStreamThatNeverEndsAtTheLimit) {
  streams::Stream header = all_.front().bytes;
  header.resize(8);
  streams::Stream junk(32768, std::byte{1});
  std::uint64_t sent = 0;
  std::size_t peak = 0;
  auto next = [&](std::uint64_t at) { return at == 0 ? std::span<const std::byte>(header) : junk; };
  Error error = endless(next, sent, peak);
  EXPECT_EQ(error.code, ErrorCode::too_long) << error.message();
  EXPECT_LE(sent, wire::kMaxStateBytes + (1u << 20));
  EXPECT_LE(peak, 3 * wire::kMaxStateBytes);  // a vector that doubles, and what the socket holds
}

TEST_F(TransferBadInput, RefusesAnotherProtocolWithinItsFirstBytes) {
  streams::Stream junk(4096, std::byte{'G'});
  std::uint64_t sent = 0;
  std::size_t peak = 0;
  Error error = endless([&](std::uint64_t) { return std::span<const std::byte>(junk); }, sent, peak);
  EXPECT_EQ(error.code, ErrorCode::bad_magic) << error.message();
  EXPECT_LE(sent, 2 * junk.size());
}

}  // namespace
}  // namespace vcpr::bad_input
