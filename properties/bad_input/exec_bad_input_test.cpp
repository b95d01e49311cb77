// Every CPR state recorded in a memfd, damaged in every way: a new image refuses it with what it inherited unchanged,
// or has the state.
#include <gtest/gtest.h>

#include "engine/store/descriptor_kind.hpp"
#include "properties/bad_input/new_process.hpp"
#include "properties/streams/damage.hpp"
#include "source_dir.hpp"

namespace vcpr::bad_input {
namespace {

class ExecBadInput : public ::testing::Test {
 protected:
  std::vector<Capture> all_ = captures(VCPR_SOURCE_DIR "/corpus/captures", streams::StreamKind::exec);

  static Case whole(const Capture& capture, std::string what) {
    Case bad{capture, std::move(what), capture.bytes, {}, End::half_close};
    for (const Seat& seat : seats(capture.bytes, handover::Encoding::exec)) {
      Sent one{seat.offset, streams::stand_in_for(seat.name)};
      one.what.number = seat.number;
      bad.sent.push_back(one);
    }
    return bad;
  }
};

TEST_F(ExecBadInput, NoneIsAccepted) {
  ASSERT_GE(all_.size(), 3u);
  for (const Capture& capture : all_) play_exec(whole(capture, "undamaged"));
}

TEST_F(ExecBadInput, EndsAtAnyByte) {
  for (const Capture& capture : all_) {
    for (std::size_t size = 0; size < capture.bytes.size(); ++size) {
      Case bad = whole(capture, "cut to " + std::to_string(size));
      bad.bytes.resize(size);
      play_exec(bad);
    }
  }
}

TEST_F(ExecBadInput, HasAnyByteChanged) {
  for (const Capture& capture : all_) {
    bool small = capture.bytes.size() <= 200;
    for (std::size_t at = 0; at < capture.bytes.size(); ++at) {
      for (unsigned value = 0; value < 256; value += small ? 1 : 17) {
        if (capture.bytes[at] == std::byte(value)) continue;
        Case bad = whole(capture, "byte " + std::to_string(at) + " = " + std::to_string(value));
        bad.bytes[at] = std::byte(value);
        play_exec(bad);
      }
    }
  }
}

TEST_F(ExecBadInput, HasAnyFieldAtItsEdges) {
  for (const Capture& capture : all_) {
    streams::FieldMap map(capture.bytes, capture.kind);
    streams::for_each_damage(capture.bytes, map, [&](const streams::Damage& damage) {
      Case bad = whole(capture, describe(map, damage));
      streams::apply(bad.bytes, map, damage);
      if (bad.bytes == capture.bytes) return;
      play_exec(bad);
    });
  }
}

TEST_F(ExecBadInput, LacksADescriptorOrHasAnotherKind) {
  using store::DescriptorKind;
  for (const Capture& capture : all_) {
    std::size_t size = whole(capture, "").sent.size();
    for (std::size_t at = 0; at < size; ++at) {
      Case lacking = whole(capture, "entry " + std::to_string(at) + " not inherited");
      lacking.sent.erase(lacking.sent.begin() + static_cast<long>(at));
      play_exec(lacking);
      for (DescriptorKind kind : {DescriptorKind::eventfd, DescriptorKind::file, DescriptorKind::vfio_container,
                                  DescriptorKind::vfio_group, DescriptorKind::socket, DescriptorKind::pipe}) {
        Case odd = whole(capture, "entry " + std::to_string(at) + " of kind " + std::string(store::name(kind)));
        replace_by(odd, at, kind);
        play_exec(odd);
      }
    }
  }
}

TEST_F(ExecBadInput, IsNamedByAnOddVariable) {
  for (const Capture& capture : all_) {
    for (const char* value : {"-",
                              "",
                              " ",
                              "0",
                              "1",
                              "-1",
                              "+5",
                              "05",
                              "5 ",
                              " 5",
                              "0x5",
                              "5x",
                              "99999",
                              "2147483647",
                              "2147483648",
                              "4294967301",
                              "18446744073709551621",
                              "five",
                              "5\n",
                              "5,6"}) {
      Case bad = whole(capture, "variable \"" + std::string(value) + "\"");
      bad.environment = value;
      play_exec(bad);
    }
  }
}

}  // namespace
}  // namespace vcpr::bad_input
