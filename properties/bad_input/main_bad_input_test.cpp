// Every recorded main stream, damaged: it is taken apart up to a byte that is named, or completely; and a VM made of
// the sections the engine knows loads its own stream only whole and in one piece.
#include <algorithm>
#include <gtest/gtest.h>
#include <set>

#include "engine/vmstate/main_stream_document.hpp"
#include "properties/bad_input/verdict.hpp"
#include "properties/streams/damage.hpp"
#include "properties/streams/known_vm.hpp"
#include "source_dir.hpp"

namespace vcpr::bad_input {
namespace {

using streams::KnownVm;
using streams::Stream;

/// Positions looked at in a large stream.
constexpr std::size_t kSamples = 200;

bool says_where(const Error& error, std::size_t size) {
  return !error.text.empty() && error.offset && *error.offset <= size;
}

class MainBadInput : public ::testing::Test {
 protected:
  std::vector<Capture> all_ = captures(VCPR_SOURCE_DIR "/corpus/captures", streams::StreamKind::main);

  /// Taken apart, and what was taken apart is put together to the same bytes.
  void take_apart(const Stream& bytes, const std::string& what) {
    vmstate::ParsedMainStream parsed = vmstate::parse_main_stream(bytes);
    if (parsed.error) {
      bool clean = says_where(*parsed.error, bytes.size());
      return count(streams::StreamKind::main, {clean ? Verdict::refused : Verdict::silent, parsed.error->message()},
                   what);
    }
    bool same = vmstate::encode_main_stream(parsed.document) == bytes;
    count(streams::StreamKind::main,
          {same ? Verdict::undetectable : Verdict::silent, "bytes of a section that is only taken apart"}, what);
  }

  /// The sections of a capture that the engine can load, and a stream of their own.
  struct Known {
    vmstate::MainStreamDocument document;
    Stream bytes;
  };

  /// A VM of these sections is given other bytes.
  void load(const Known& known, const Stream& bytes, const std::string& what) {
    KnownVm vm(known.bytes, known.document);
    Expected<void> loaded = vm.load(bytes);
    if (!loaded) {
      bool clean = !loaded.error().text.empty() && (!loaded.error().offset || *loaded.error().offset <= bytes.size());
      return count(streams::StreamKind::main, {clean ? Verdict::refused : Verdict::silent, loaded.error().message()},
                   what);
    }
    Expected<Stream> again = vm.save();
    if (again && *again == described(known)) return count(streams::StreamKind::main, {Verdict::equal, "equal"}, what);
    bool kept = again && again->size() == described(known).size();
    count(streams::StreamKind::main, {kept ? Verdict::undetectable : Verdict::silent, "other values inside a section"},
          what);
  }

  static Known known(const Capture& capture) {
    vmstate::MainStreamDocument document = vmstate::parse_main_stream(capture.bytes).document;
    std::set<std::uint32_t> ids;
    for (const vmstate::MainRecord& record : document.records) {
      std::string_view name = record.head.idstr;
      bool loadable = name == "ram" || name == "globalstate" || name == "vfio-container" || name == "iommufd" ||
                      name.ends_with("/vfio-cpr-pci");
      if (loadable) ids.insert(record.head.section_id);
    }
    std::erase_if(document.records, [&](const vmstate::MainRecord& record) {
      return record.head.is_section() && !ids.contains(record.head.section_id);
    });
    document.description.reset();
    return {document, vmstate::encode_main_stream(document)};
  }
  /// What a VM writes that has loaded the undamaged stream.
  static Stream described(const Known& known) {
    KnownVm vm(known.bytes, known.document);
    EXPECT_TRUE(vm.load(known.bytes));
    return vm.save().value_or(Stream());
  }
};

TEST_F(MainBadInput, IsTakenApartAndPutTogetherWhenUndamaged) {
  ASSERT_GE(all_.size(), 14u);
  for (const Capture& capture : all_) {
    vmstate::ParsedMainStream parsed = vmstate::parse_main_stream(capture.bytes);
    EXPECT_FALSE(parsed.error) << capture.name << ": " << parsed.error->message();
    EXPECT_EQ(vmstate::encode_main_stream(parsed.document), capture.bytes) << capture.name;
  }
}

TEST_F(MainBadInput, EndsAtAByte) {
  for (const Capture& capture : all_) {
    std::size_t step = std::max<std::size_t>(1, capture.bytes.size() / kSamples);
    for (std::size_t size = 0; size < capture.bytes.size(); size += step) {
      Stream bytes(capture.bytes.begin(), capture.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      take_apart(bytes, capture.name + ", cut to " + std::to_string(size));
    }
  }
}

TEST_F(MainBadInput, HasAByteChanged) {
  for (const Capture& capture : all_) {
    std::size_t step = std::max<std::size_t>(1, capture.bytes.size() / kSamples);
    for (std::size_t at = 0; at < capture.bytes.size(); at += step) {
      Stream bytes = capture.bytes;
      bytes[at] ^= std::byte{0xff};
      take_apart(bytes, capture.name + ", byte " + std::to_string(at) + " inverted");
    }
  }
}

TEST_F(MainBadInput, OfAKnownVmLoadsWholeOrNotAtAll) {
  for (const Capture& capture : all_) {
    Known original = known(capture);
    load(original, original.bytes, capture.name + ", undamaged");
    for (std::size_t size = 0; size < original.bytes.size(); size += 1 + original.bytes.size() / (4 * kSamples)) {
      Stream bytes(original.bytes.begin(), original.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      load(original, bytes, capture.name + ", known sections cut to " + std::to_string(size));
    }
  }
}

/// A document with section `at` left out, or sent twice.
Stream with_section(const vmstate::MainStreamDocument& document, std::size_t at, int times) {
  vmstate::MainStreamDocument changed = document;
  changed.records.erase(changed.records.begin() + static_cast<std::ptrdiff_t>(at));
  for (int i = 0; i < times; ++i) {
    changed.records.insert(changed.records.begin() + static_cast<std::ptrdiff_t>(at), document.records[at]);
  }
  return vmstate::encode_main_stream(changed);
}

TEST_F(MainBadInput, OfAKnownVmIsRefusedWithAnySectionAbsentOrDoubled) {
  for (const Capture& capture : all_) {
    Known original = known(capture);
    for (std::size_t at = 0; at < original.document.records.size(); ++at) {
      vmstate::SectionType type = original.document.records[at].head.type;
      // Of these any number may come: the format cannot tell.
      if (type == vmstate::SectionType::command || type == vmstate::SectionType::part) continue;
      for (int times : {0, 2}) {
        Stream bytes = with_section(original.document, at, times);
        KnownVm vm(original.bytes, original.document);
        Expected<void> loaded = vm.load(bytes);
        EXPECT_FALSE(loaded) << capture.name << ": section " << at << " " << times << " times";
        load(original, bytes, capture.name + ", section " + std::to_string(at) + (times == 0 ? " absent" : " doubled"));
      }
    }
  }
}

}  // namespace
}  // namespace vcpr::bad_input
