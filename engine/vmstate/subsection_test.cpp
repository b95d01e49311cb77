// The prefix rule: which 0x05 begins a subsection, and which belongs to somebody else.
#include <gtest/gtest.h>

#include "engine/vmstate/stream_testing.hpp"

namespace vcpr::vmstate {
namespace {

using testing::Bytes;
using testing::FieldList;
using testing::hex;
using testing::loaded;
using testing::saved;
using testing::stream;

struct State {
  std::uint8_t value = 0;
  std::uint8_t extra = 0;
  std::uint8_t more = 0;

  bool has_extra() const { return extra != 0; }
  bool has_more() const { return more != 0; }
};
constexpr Field kExtraFields[] = {field<&State::extra>("extra")};
constexpr auto kExtra = describe<State>("dev/extra", 2, kExtraFields).minimum(1).needed_if<&State::has_extra>();
constexpr Field kMoreFields[] = {field<&State::more>("more")};
constexpr auto kMore2 = describe<State>("dev/more", 1, kMoreFields).needed_if<&State::has_more>();
constexpr const Description* kSubsections[] = {&kExtra, &kMore2};
constexpr Field kStateFields[] = {field<&State::value>("value")};
constexpr auto kState = describe<State>("dev", 1, kStateFields).with_subsections(kSubsections);

std::string refusal(std::string_view bytes) {
  State fresh;
  return loaded(kState, fresh, stream(bytes));
}

TEST(Subsection, IsWrittenOnlyWhenNeeded) {
  EXPECT_EQ(hex(saved(kState, State{1, 0, 0})), "01");
  EXPECT_EQ(hex(saved(kState, State{1, 2, 3})),
            hex(stream("01  05 09 'dev/extra' 00000002 02  05 08 'dev/more' 00000001 03")));
}

TEST(Subsection, MayComeInAnyOrderOrNotAtAll) {
  State back;
  EXPECT_EQ(loaded(kState, back, stream("01 05 08 'dev/more' 00000001 03 05 09 'dev/extra' 00000001 02")), "");
  EXPECT_EQ(back.extra, 2);
  EXPECT_EQ(back.more, 3);
  State bare;
  EXPECT_EQ(loaded(kState, bare, stream("01")), "") << "peeking at the end of the stream is success";
}

TEST(Subsection, UnknownWithOurPrefixIsAnError) {
  EXPECT_EQ(refusal("01 05 07 'dev/new' 00000001 03"), "unknown_subsection at byte 1: \"dev/new\" is not known to dev");
  EXPECT_EQ(refusal("01 05 04 'devx' 00000001"), "unknown_subsection at byte 1: \"devx\" is not known to dev")
      << "the prefix is textual: no separator is asked for";
}

TEST(Subsection, WithAnotherPrefixBelongsToAnOuterLevel) {
  EXPECT_TRUE(refusal("01 05 09 'cpu/extra' 00000001 02").starts_with("trailing_bytes at byte 1"));
}

TEST(Subsection, TooShortOrCutNamesAreNotSubsections) {
  EXPECT_TRUE(refusal("01 05 03 'dev' 00000001").starts_with("trailing_bytes at byte 1"))
      << "no longer than the parent";
  EXPECT_TRUE(refusal("01 05 09 'dev/ext'").starts_with("trailing_bytes at byte 1")) << "cannot be peeked";
  EXPECT_TRUE(refusal("01 05").starts_with("trailing_bytes at byte 1"));
}

TEST(Subsection, TwiceIsAnError) {
  EXPECT_EQ(refusal("01 05 08 'dev/more' 00000001 03 05 08 'dev/more' 00000001 04"),
            "duplicate_subsection at byte 16: \"dev/more\" came before");
}

TEST(Subsection, HasItsOwnVersion) {
  EXPECT_EQ(refusal("01 05 09 'dev/extra' 00000003 02"),
            "bad_version at byte 16: dev/extra/: dev/extra: version 3 is newer than 2");
  EXPECT_EQ(refusal("01 05 09 'dev/extra' 00000002"),
            "truncated at byte 16: dev/extra/extra: needs 1 bytes, 0 are left");
  EXPECT_EQ(refusal("01 05 09 'dev/extra' 0000"), "truncated at byte 12: dev/extra/version: needs 4 bytes, 2 are left");
}

/// As the CPR state: a list whose elements are followed by markers, then a subsection of the whole.
struct Element {
  std::uint8_t id = 0;
};
struct Whole {
  std::vector<Element> list;
  std::vector<Element> devices;
};
constexpr Field kElementFields[] = {field<&Element::id>("id")};
constexpr auto kElement = describe<Element>("el", 1, kElementFields);
constexpr Field kDevicesFields[] = {vector_list<&Whole::devices>("devices", kElement, 9)};
constexpr auto kDevices = describe<Whole>("whole/devices", 1, kDevicesFields).required().possibly_empty();
constexpr const Description* kWholeSubsections[] = {&kDevices};
constexpr Field kWholeFields[] = {vector_list<&Whole::list>("list", kElement, 9)};
constexpr auto kWhole = describe<Whole>("whole", 1, kWholeFields).with_subsections(kWholeSubsections);

TEST(Subsection, OfAnElementIsLookedForAfterTheElement) {
  Whole back;
  EXPECT_EQ(loaded(kWhole, back, stream("01 07 05 03 'el2' 00000001 00")),
            "unknown_subsection at byte 2: list[0]: \"el2\" is not known to el");
  EXPECT_EQ(loaded(kWhole, back, stream("01 07 05 07 00")), "bad_marker at byte 2: list[1]: list marker 5")
      << "a 0x05 that names no subsection is a marker, and no writer sends that one";
}

TEST(Subsection, ThatIsRequiredMustCome) {
  Whole back;
  EXPECT_EQ(loaded(kWhole, back, stream("01 07 00")), "missing_subsection at byte 3: \"whole/devices\" is missing");
  EXPECT_EQ(loaded(kWhole, back, stream("00"), {.accept_missing_subsections = true}), "");
  EXPECT_EQ(loaded(kWhole, back, stream("00 05 0d 'whole/devices' 00000001 01 09 00")), "");
  ASSERT_EQ(back.devices.size(), 1u);
}

TEST(Subsection, OfASmallerPeerMayEndAfterItsVersion) {
  Whole back;
  std::string_view stub = "00 05 0d 'whole/devices' 00000001";
  EXPECT_EQ(loaded(kWhole, back, stream(stub)),
            "truncated at byte 20: whole/devices/devices[0]: needs 1 bytes, 0 are left");
  EXPECT_EQ(loaded(kWhole, back, stream(stub), {.accept_empty_subsections = true}), "");
  EXPECT_NE(loaded(kWhole, back, stream("00 05 0d 'whole/devices' 00000002"), {.accept_empty_subsections = true}), "");
}

TEST(Subsection, IsObservedFieldByField) {
  Bytes bytes = stream("01 05 08 'dev/more' 00000001 03");
  wire::Reader in(bytes);
  State scratch;
  FieldList seen;
  ASSERT_TRUE(observe(kState, 1, scratch, in, DescriptorEncoding::riding, "", seen));
  EXPECT_EQ(seen.lines(), (std::vector<std::string>{
                              "0+1 value integer uint8 1", "1+1 dev/more/mark marker uint8 5",
                              "2+1 dev/more/idlen length uint8 8", "3+8 dev/more/idstr text buffer \"dev/more\"",
                              "11+4 dev/more/version version uint32 1", "15+1 dev/more/more integer uint8 3"}));
}

}  // namespace
}  // namespace vcpr::vmstate
