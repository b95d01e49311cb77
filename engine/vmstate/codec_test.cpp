// Each field kind against bytes written down by hand from the format page, both ways; each refusal with its offset.
#include "engine/vmstate/codec.hpp"

#include <bit>
#include <gtest/gtest.h>
#include <limits>

#include "engine/vmstate/stream_testing.hpp"

namespace vcpr::vmstate {
namespace {

using testing::Bytes;
using testing::FieldList;
using testing::hex;
using testing::loaded;
using testing::saved;
using testing::stream;

enum class Mode : std::uint32_t { one = 1, two = 2 };

struct Numbers {
  bool yes = false;
  std::uint8_t u8 = 0;
  std::int8_t i8 = 0;
  std::uint16_t u16 = 0;
  std::int16_t i16 = 0;
  std::uint32_t u32 = 0;
  std::int32_t i32 = 0;
  std::uint64_t u64 = 0;
  std::int64_t i64 = 0;
  Mode mode = Mode::one;
  double real = 0;
  std::int64_t alarm = kTimerNotArmed;
  bool operator==(const Numbers&) const = default;
};
constexpr Field kNumberFields[] = {
    field<&Numbers::yes>("yes"),   field<&Numbers::u8>("u8"),     field<&Numbers::i8>("i8"),
    field<&Numbers::u16>("u16"),   field<&Numbers::i16>("i16"),   field<&Numbers::u32>("u32"),
    field<&Numbers::i32>("i32"),   field<&Numbers::u64>("u64"),   field<&Numbers::i64>("i64"),
    field<&Numbers::mode>("mode"), field<&Numbers::real>("real"), timer<&Numbers::alarm>("alarm"),
};
constexpr auto kNumbers = describe<Numbers>("numbers", 1, kNumberFields);

const Numbers kSomeNumbers{true, 0x12, -2, 0x1234, -2, 0x12345678, -2, 0x123456789abcdef0, -2, Mode::two, 1.5, -1};
constexpr std::string_view kSomeNumberBytes =
    "01  12  fe  1234  fffe  12345678  fffffffe  123456789abcdef0  fffffffffffffffe  00000002  3ff80000 00000000 "
    "ffffffffffffffff";

TEST(Codec, IntegersAreBigEndianAndTwosComplement) {
  EXPECT_EQ(hex(saved(kNumbers, kSomeNumbers)), hex(stream(kSomeNumberBytes)));
  Numbers back;
  EXPECT_EQ(loaded(kNumbers, back, stream(kSomeNumberBytes)), "");
  EXPECT_EQ(back, kSomeNumbers);
}

TEST(Codec, EveryTruncationNamesTheFieldItCuts) {
  Bytes whole = stream(kSomeNumberBytes);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Numbers back;
    EXPECT_NE(loaded(kNumbers, back, std::span(whole).first(size)), "") << size;
  }
  Numbers back;
  EXPECT_EQ(loaded(kNumbers, back, std::span(whole).first(9)), "truncated at byte 7: u32: needs 4 bytes, 2 are left");
}

TEST(Codec, ABoolThatNobodyWritesIsRefused) {
  Numbers back;
  EXPECT_EQ(loaded(kNumbers, back, stream("02")), "bad_value at byte 0: yes: 2 is neither 0 nor 1");
}

TEST(Codec, BytesAfterTheLastFieldAreRefused) {
  Bytes bytes = stream(kSomeNumberBytes);
  bytes.push_back(std::byte{0});
  Numbers back;
  EXPECT_EQ(loaded(kNumbers, back, bytes), "trailing_bytes at byte 51: 1 bytes follow the last field");
}

struct Rules {
  std::uint32_t same = 7;
  std::int32_t at_most_ours = 2;
  std::uint8_t level = 0;
};
constexpr Field kRuleFields[] = {field<&Rules::same>("same").equal(), less_or_equal<&Rules::at_most_ours>("version_id"),
                                 field<&Rules::level>("level").at_most(1)};
constexpr auto kRules = describe<Rules>("rules", 1, kRuleFields);

TEST(Codec, RulesHoldLoadedValuesToTheObject) {
  Rules good;
  EXPECT_EQ(loaded(kRules, good, stream("00000007 00000001 01")), "");
  EXPECT_EQ(good.at_most_ours, 1);
  auto refusal = [](std::string_view bytes) {
    Rules fresh;
    return loaded(kRules, fresh, stream(bytes));
  };
  EXPECT_EQ(refusal("00000008 00000001 01"), "bad_value at byte 0: same: 8 is not 7, as here");
  EXPECT_EQ(refusal("00000007 00000003 01"), "bad_value at byte 4: version_id: 3 is not from 0 to 2, as here");
  EXPECT_EQ(refusal("00000007 ffffffff 01"), "bad_value at byte 4: version_id: -1 is not from 0 to 2, as here");
  EXPECT_EQ(refusal("00000007 00000002 02"), "bad_value at byte 8: level: 2 is more than 1");
}

struct Arrays {
  std::array<std::uint16_t, 3> fixed{};
  std::uint16_t plain[2] = {};
  std::uint8_t count = 0;
  std::vector<std::uint32_t> grown;
  std::array<std::uint8_t, 4> held{};
  std::int32_t size = 0;
  std::vector<std::byte> blob;
  std::array<char, 4> name{};
  std::array<std::uint64_t, 2> words{};
};
constexpr std::int64_t words_of_bitmap(const Arrays&) {
  return 2;
}
constexpr Field kArrayFields[] = {
    field<&Arrays::fixed>("fixed"),
    field<&Arrays::plain>("plain"),
    field<&Arrays::count>("count"),
    varray<&Arrays::grown, &Arrays::count>("grown").times(2).limit(6),
    varray<&Arrays::held, &Arrays::count>("held"),
    field<&Arrays::size>("size"),
    vbuffer<&Arrays::blob, &Arrays::size>("blob").limit(8),
    buffer<&Arrays::name>("name"),
    bitmap<&Arrays::words, &words_of_bitmap>("words"),
    unused<Arrays>(3),
};
constexpr auto kArrays = describe<Arrays>("arrays", 1, kArrayFields);
constexpr std::string_view kArrayBytes =
    "0001 0002 0003  0004 0005  01  0000000a 0000000b  0c  00000002 dead  'abcd'  0000000000000001 8000000000000000 "
    "000000";

TEST(Codec, ArraysAndBuffersStandBackToBack) {
  Arrays arrays{{1, 2, 3}, {4, 5}, 1, {10, 11}, {12}, 2, stream("dead"), {'a', 'b', 'c', 'd'}, {1, 1ull << 63}};
  EXPECT_EQ(hex(saved(kArrays, arrays)), hex(stream(kArrayBytes)));
  Arrays back;
  EXPECT_EQ(loaded(kArrays, back, stream(kArrayBytes)), "");
  EXPECT_EQ(hex(saved(kArrays, back)), hex(stream(kArrayBytes)));
  EXPECT_EQ(back.fixed, arrays.fixed);
  EXPECT_EQ(back.plain[1], 5);
  EXPECT_EQ(back.words, arrays.words);
}

TEST(Codec, UnusedBytesAreIgnored) {
  Bytes bytes = stream(kArrayBytes);
  bytes.back() = std::byte{0xff};
  Arrays back;
  EXPECT_EQ(loaded(kArrays, back, bytes), "");
}

TEST(Codec, CountsAndLengthsHaveLimits) {
  auto refusal = [](std::size_t at, std::string_view patch) {
    Bytes bytes = stream(kArrayBytes);
    std::ranges::copy(stream(patch), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    Arrays fresh;
    return loaded(kArrays, fresh, bytes);
  };
  EXPECT_EQ(refusal(10, "04"), "bad_length at byte 11: grown: 4 times 2 is more than 6");
  EXPECT_EQ(refusal(20, "00000009"), "bad_length at byte 24: blob: 9 times 1 is more than 8");
  EXPECT_EQ(refusal(20, "ffffffff"), "bad_length at byte 24: blob: a count of -1");
}

TEST(Codec, ACountBeyondAFixedArrayIsRefused) {
  struct Held {
    std::uint8_t count = 0;
    std::array<std::uint8_t, 4> held{};
  };
  static constexpr Field kFields[] = {field<&Held::count>("count"), varray<&Held::held, &Held::count>("held")};
  static constexpr auto kHeld = describe<Held>("held", 1, kFields);
  Held held;
  EXPECT_EQ(loaded(kHeld, held, stream("05 01 02 03 04 05")), "bad_length at byte 1: held: 5 elements do not fit");
}

TEST(Codec, SavingRefusesACountThatIsNotTheMembers) {
  Arrays arrays;
  arrays.count = 1;
  wire::Outbox out;
  wire::Writer writer(out);
  EXPECT_EQ(save(kArrays, arrays, writer).error().message(), "bad_length: grown: a count of 2 of 0");
}

struct Text {
  std::string_view name;
  std::string machine;
  std::string capability;
};
constexpr Field kTextFields[] = {counted_name<&Text::name>("name", 5).length("namelen"),
                                 counted_text<&Text::machine>("machine", 8), short_text<&Text::capability>("cap")};
constexpr auto kText = describe<Text>("text", 1, kTextFields);

TEST(Codec, TextHasThreeForms) {
  Bytes bytes = stream("00000005 'ram0' 00  00000003 'q35'  02 'on'");
  EXPECT_EQ(hex(saved(kText, Text{"ram0", "q35", "on"})), hex(bytes));
  Text back;
  EXPECT_EQ(loaded(kText, back, bytes), "");
  EXPECT_EQ(back.name, "ram0");
  EXPECT_EQ(back.name.data(), reinterpret_cast<const char*>(bytes.data()) + 4) << "a view into the stream";
  EXPECT_EQ(back.machine, "q35");
}

TEST(Codec, NamesAreCheckedBeforeTheyAreTaken) {
  auto refusal = [](std::string_view bytes) {
    Text fresh;
    return loaded(kText, fresh, stream(bytes));
  };
  EXPECT_EQ(refusal("00000000"), "bad_length at byte 0: name: length 0, at most 5");
  EXPECT_EQ(refusal("00000007 'ram012' 00"), "bad_length at byte 0: name: length 7, at most 5");
  EXPECT_EQ(refusal("ffffffff"), "bad_length at byte 0: name: length 4294967295, at most 5");
  EXPECT_EQ(refusal("00000001 00"), "bad_text at byte 4: name: is empty");
  EXPECT_EQ(refusal("00000005 'ram0!'"), "bad_text at byte 4: name: does not end with NUL");
  EXPECT_EQ(refusal("00000005 'ra' 00 '0' 00"), "bad_text at byte 4: name: has a NUL inside");
  EXPECT_EQ(refusal("00000005 'ram'"), "truncated at byte 4: name: needs 5 bytes, 3 are left");
  EXPECT_EQ(refusal("00000002 'a' 00 00000009"), "bad_length at byte 6: machine: length 9, at most 8");
}

TEST(Codec, SavingRefusesNamesThatCannotBeLoaded) {
  auto refusal = [](std::string_view name) {
    wire::Outbox out;
    wire::Writer writer(out);
    return save(kText, Text{name, "", ""}, writer).error().code;
  };
  EXPECT_EQ(refusal(""), ErrorCode::bad_text);
  EXPECT_EQ(refusal(std::string_view("a\0b", 3)), ErrorCode::bad_text);
  EXPECT_EQ(refusal("123456"), ErrorCode::bad_length);
}

struct Pair {
  std::uint8_t key = 0;
  std::uint8_t value = 0;
  bool operator==(const Pair&) const = default;
};
constexpr Field kPairFields[] = {field<&Pair::key>("key"), field<&Pair::value>("value").since(2)};
constexpr auto kPair = describe<Pair>("pair", 2, kPairFields).minimum(1);

struct Structs {
  Pair one;
  std::array<Pair, 2> two{};
  std::unique_ptr<Pair> behind;
  std::uint8_t count = 0;
  std::vector<Pair> many;
  std::array<std::unique_ptr<Pair>, 2> slots{};
  std::array<std::unique_ptr<Pair>, 2> marked{};
  Pair old;
};
constexpr Field kStructFields[] = {
    structure<&Structs::one>("one", kPair),
    structure<&Structs::two>("two", kPair),
    structure<&Structs::behind>("behind", kPair),
    field<&Structs::count>("count"),
    struct_varray<&Structs::many, &Structs::count>("many", kPair),
    pointer_array<&Structs::slots>("slots", kPair),
    pointer_array<&Structs::marked>("marked", kPair).marked(),
    structure<&Structs::old>("old", kPair).versioned(1),
};
constexpr auto kStructs = describe<Structs>("structs", 1, kStructFields);
constexpr std::string_view kStructBytes = "0102  0304 0506  0708  02 090a 0b0c  0d0e 30  31 0f10 30  11";

TEST(Codec, StructsNestInline) {
  Structs back;
  ASSERT_EQ(loaded(kStructs, back, stream(kStructBytes)), "");
  EXPECT_EQ(back.one, (Pair{1, 2}));
  EXPECT_EQ(back.two[1], (Pair{5, 6}));
  EXPECT_EQ(*back.behind, (Pair{7, 8}));
  EXPECT_EQ(back.many, (std::vector<Pair>{{9, 10}, {11, 12}}));
  EXPECT_EQ(*back.slots[0], (Pair{13, 14}));
  EXPECT_EQ(back.slots[1], nullptr);
  EXPECT_EQ(*back.marked[0], (Pair{15, 16}));
  EXPECT_EQ(back.old, (Pair{17, 0})) << "a versioned struct leaves out what is newer than its version";
  EXPECT_EQ(hex(saved(kStructs, back)), hex(stream(kStructBytes)));
}

TEST(Codec, ALoadedNullDropsWhatWasThere) {
  Structs back;
  back.slots[1] = std::make_unique<Pair>();
  ASSERT_EQ(loaded(kStructs, back, stream(kStructBytes)), "");
  EXPECT_EQ(back.slots[1], nullptr);
}

TEST(Codec, APointerMarkerIsOneOfTwo) {
  Structs back;
  EXPECT_EQ(loaded(kStructs, back, stream("0102 0304 0506 0708 00 0d0e 30 32 0f10 30 11")),
            "bad_marker at byte 12: marked[0]: pointer marker 50");
}

TEST(Codec, ANullStructCannotBeSaved) {
  wire::Outbox out;
  wire::Writer writer(out);
  EXPECT_EQ(save(kStructs, Structs{}, writer).error().message(), "bad_state: behind: a null pointer");
}

TEST(Codec, PathsLeadToTheNestedField) {
  Structs back;
  EXPECT_EQ(loaded(kStructs, back, stream("0102 0304 05")),
            "truncated at byte 5: two[1].value: needs 1 bytes, 0 are left");
}

/// A list that takes its elements one by one and refuses a key it has.
struct Pairs {
  std::vector<Pair> taken;
};
struct PairOperations {
  static std::uint64_t size(const Pairs& pairs) { return pairs.taken.size(); }
  static Pair at(const Pairs& pairs, std::uint64_t position) { return pairs.taken[position]; }
  static Expected<void> append(Pairs& pairs, Pair&& pair) {
    for (const Pair& each : pairs.taken) {
      if (each.key == pair.key) return refuse(ErrorCode::duplicate_key, {"key ", Decimal(std::uint32_t{pair.key})});
    }
    pairs.taken.push_back(pair);
    return {};
  }
};
struct Lists {
  Pairs list;
  std::vector<Pair> vector;
  Pairs tree;
};
constexpr Field kListFields[] = {list<&Lists::list, PairOperations>("list", kPair, 3),
                                 vector_list<&Lists::vector>("vector", kPair, 3),
                                 tree<&Lists::tree, PairOperations>("tree", kPair, 3)};
constexpr auto kLists = describe<Lists>("lists", 1, kListFields);
constexpr std::string_view kListBytes = "01 0a0b 01 0c0d 00   00   00000002 01 0102 01 0304 00";

TEST(Codec, ListsAreMarkedElementByElement) {
  Lists back;
  ASSERT_EQ(loaded(kLists, back, stream(kListBytes)), "");
  EXPECT_EQ(back.list.taken, (std::vector<Pair>{{10, 11}, {12, 13}}));
  EXPECT_EQ(back.tree.taken, (std::vector<Pair>{{1, 2}, {3, 4}}));
  EXPECT_EQ(hex(saved(kLists, back)), hex(stream(kListBytes)));
}

TEST(Codec, ListsRefuseWhatNoWriterSends) {
  auto refusal = [](std::string_view bytes) {
    Lists fresh;
    return loaded(kLists, fresh, stream(bytes));
  };
  EXPECT_EQ(refusal("02 0a0b 00"), "bad_marker at byte 0: list[0]: list marker 2");
  EXPECT_EQ(refusal("01 0a0b 01 0a0d 00"), "duplicate_key at byte 4: list[1]: key 10");
  EXPECT_EQ(refusal("01 0102 01 0304 01 0506 01 0708 00"), "bad_length at byte 9: list: more than 3 elements");
  EXPECT_EQ(refusal("01 0102"), "truncated at byte 3: list[1]: needs 1 bytes, 0 are left");
  EXPECT_EQ(refusal("00 00 00000002 01 0102 00"), "bad_length at byte 2: tree: 2 announced, 1 came");
  EXPECT_EQ(refusal("00 00 00000001 01 0102 01 0304 00"), "bad_length at byte 2: tree: 1 announced, 2 came");
}

struct Extended {
  std::uint16_t exponent = 0;
  std::uint64_t mantissa = 0;
};
struct Register {
  std::uint64_t value = 0;

  Extended to_wire() const { return {.exponent = 3, .mantissa = value}; }
  Expected<void> from_wire(const Extended& wire) {
    if (wire.exponent != 3) return refuse(ErrorCode::bad_value, {"exponent"});
    value = wire.mantissa;
    return {};
  }
};
constexpr Field kExtendedFields[] = {field<&Extended::mantissa>("mantissa"), field<&Extended::exponent>("exponent")};
constexpr auto kExtended = describe<Extended>("extended", 1, kExtendedFields);
constexpr Field kRegisterFields[] = {
    temporary<Register, &Register::to_wire, &Register::from_wire>("tmp", kExtended),
};
constexpr auto kRegister = describe<Register>("register", 1, kRegisterFields);

TEST(Codec, ATemporaryTranslatesBetweenObjectAndStream) {
  Bytes bytes = stream("0000000000000009 0003");
  EXPECT_EQ(hex(saved(kRegister, Register{9})), hex(bytes));
  Register back;
  EXPECT_EQ(loaded(kRegister, back, bytes), "");
  EXPECT_EQ(back.value, 9u);
  EXPECT_EQ(loaded(kRegister, back, stream("0000000000000009 0004")), "bad_value at byte 0: tmp: exponent");
}

struct Holder {
  Descriptor fd;
};
constexpr Field kHolderFields[] = {descriptor<&Holder::fd>("fd")};
constexpr auto kHolder = describe<Holder>("holder", 1, kHolderFields);
constexpr LoadOptions kNumbered{.descriptors = DescriptorEncoding::number};

TEST(Codec, ADescriptorRidesOrIsANumber) {
  Holder holder;
  holder.fd.number = 10;
  wire::Outbox out;
  wire::Writer writer(out);
  ASSERT_TRUE(save(kHolder, holder, writer));
  EXPECT_EQ(hex(out.bytes), "20");
  ASSERT_EQ(out.descriptors.size(), 1u);
  EXPECT_EQ(out.descriptors[0].number, 10);
  EXPECT_EQ(hex(saved(kHolder, holder, {.descriptors = DescriptorEncoding::number})), "0000000a");
  Holder back;
  EXPECT_EQ(loaded(kHolder, back, stream("0000000a"), kNumbered), "");
  EXPECT_EQ(back.fd.number, 10);
}

TEST(Codec, ADescriptorThatIsNotThereIsRefused) {
  Holder back;
  EXPECT_TRUE(loaded(kHolder, back, stream("20")).starts_with("missing_descriptor at byte 0: fd: "));
  EXPECT_TRUE(loaded(kHolder, back, stream("21")).starts_with("bad_service_byte at byte 0: fd: "));
  EXPECT_EQ(loaded(kHolder, back, stream("ffffffff"), kNumbered), "bad_descriptor at byte 0: fd: descriptor number -1");
  wire::Outbox out;
  wire::Writer writer(out);
  EXPECT_EQ(save(kHolder, Holder{}, writer).error().code, ErrorCode::bad_descriptor);
}

struct Versioned {
  std::uint8_t first = 0;
  std::uint8_t since_two = 0;
  std::uint8_t by_test = 0;
  bool wanted = false;
  bool is_first_even() const { return first % 2 == 0; }
};
constexpr bool test_wanted(const Versioned& object, std::uint32_t version) {
  return object.wanted && version >= 1;
}
constexpr Field kVersionedFields[] = {
    field<&Versioned::first>("first"),
    validate<Versioned, &Versioned::is_first_even>("first is even"),
    field<&Versioned::since_two>("since_two").since(2),
    field<&Versioned::by_test>("by_test").since(9).exists<&test_wanted>(),
};
constexpr auto kVersioned = describe<Versioned>("versioned", 2, kVersionedFields).minimum(1);

std::string load_version(std::uint32_t version, Versioned& object, std::string_view bytes) {
  Bytes stored = stream(bytes);
  wire::Reader in(stored);
  auto done = load(kVersioned, version, object, in);
  if (done) done = expect_end(in);
  return done ? "" : done.error().message();
}

TEST(Codec, FieldsExistByVersionOrByTheirOwnTest) {
  Versioned old;
  EXPECT_EQ(load_version(1, old, "02"), "");
  Versioned now;
  now.wanted = true;
  EXPECT_EQ(load_version(2, now, "02 03 04"), "") << "the test alone decides, whatever the field's version";
  EXPECT_EQ(now.by_test, 4);
  EXPECT_EQ(hex(saved(kVersioned, now)), "020304");
}

TEST(Codec, VersionsOutsideTheRangeAreRefused) {
  Versioned object;
  EXPECT_EQ(load_version(3, object, "02"), "bad_version at byte 0: versioned: version 3 is newer than 2");
  EXPECT_EQ(load_version(0, object, "02"), "bad_version at byte 0: versioned: version 0 is older than 1");
}

TEST(Codec, AFieldThatMustExistStopsTheStateWhereItStands) {
  Versioned object;
  EXPECT_EQ(load_version(2, object, "03 00"), "bad_value at byte 1: first is even: this state cannot be loaded here");
  object.first = 3;
  wire::Outbox out;
  wire::Writer writer(out);
  EXPECT_EQ(save(kVersioned, object, writer).error().code, ErrorCode::bad_state);
}

struct Hooked {
  std::uint8_t value = 0;
  mutable std::string calls;
};
Expected<void> before_save(const Hooked& object) {
  object.calls += "pre_save ";
  if (object.value == 1) return refuse(ErrorCode::bad_state, {"not now"});
  return {};
}
Expected<void> after_save(const Hooked& object) {
  object.calls += "post_save ";
  return {};
}
Expected<void> before_load(Hooked& object) {
  object.calls += "pre_load ";
  return {};
}
Expected<void> after_load(Hooked& object, std::uint32_t version) {
  object.calls += version == 1 && object.value == 5 ? "post_load" : "post_load?";
  if (object.value == 6) return refuse(ErrorCode::bad_value, {"six"});
  return {};
}
constexpr Field kHookedFields[] = {field<&Hooked::value>("value")};
constexpr auto kHooked = describe<Hooked>("hooked", 1, kHookedFields)
                             .before_save<&before_save>()
                             .after_save<&after_save>()
                             .before_load<&before_load>()
                             .after_load<&after_load>();

TEST(Codec, HooksRunAroundTheFields) {
  Hooked object{.value = 5, .calls = {}};
  EXPECT_EQ(hex(saved(kHooked, object)), "05");
  EXPECT_EQ(object.calls, "pre_save post_save ");
  Hooked back;
  EXPECT_EQ(loaded(kHooked, back, stream("05")), "");
  EXPECT_EQ(back.calls, "pre_load post_load");
}

TEST(Codec, AHookCanRefuse) {
  Hooked back;
  EXPECT_EQ(loaded(kHooked, back, stream("06")), "bad_value at byte 0: six");
  wire::Outbox out;
  wire::Writer writer(out);
  EXPECT_EQ(save(kHooked, Hooked{.value = 1, .calls = {}}, writer).error().message(), "bad_state: not now");
  EXPECT_TRUE(out.bytes.empty()) << "the hook runs before the first byte";
}

TEST(Codec, AnObserverHearsOfEveryByteOnce) {
  Bytes bytes = stream(kStructBytes);
  wire::Reader in(bytes);
  Structs scratch;
  FieldList seen;
  ASSERT_TRUE(observe(kStructs, 1, scratch, in, DescriptorEncoding::riding, "s", seen));
  EXPECT_EQ(seen.covered(), bytes.size());
  EXPECT_EQ(seen.lines()[0], "0+1 s.one.key integer uint8 1");
  EXPECT_EQ(seen.value("s.many[1].value"), "12");
  EXPECT_EQ(seen.value("s.slots[1].pointer"), "48");
}

TEST(Codec, ObservingAppendsNothingAndRunsNoHook) {
  Bytes bytes = stream(kListBytes);
  wire::Reader in(bytes);
  Lists scratch;
  FieldList seen;
  ASSERT_TRUE(observe(kLists, 1, scratch, in, DescriptorEncoding::riding, "", seen));
  EXPECT_EQ(seen.covered(), bytes.size());
  EXPECT_TRUE(scratch.list.taken.empty());
  Bytes six = stream("06");
  wire::Reader again(six);
  Hooked hooked;
  EXPECT_TRUE(observe(kHooked, 1, hooked, again, DescriptorEncoding::riding, "", seen));
  EXPECT_EQ(hooked.calls, "");
}

TEST(Codec, ObservingStopsWhereLoadingWould) {
  Bytes bytes = stream("00000007 'ram012' 00");
  wire::Reader in(bytes);
  Text scratch;
  FieldList seen;
  auto done = observe(kText, 1, scratch, in, DescriptorEncoding::riding, "", seen);
  EXPECT_EQ(done.error().message(), "bad_length at byte 0: name: length 7, at most 5");
  EXPECT_EQ(seen.lines(), std::vector<std::string>{"0+4 name.namelen length uint32 7"});
}

}  // namespace
}  // namespace vcpr::vmstate
