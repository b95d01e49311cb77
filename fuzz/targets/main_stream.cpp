// Proves that a main stream is understood up to a byte that is named, and that what is understood is kept to the byte.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "engine/vmstate/dissect.hpp"
#include "fuzz/refusal.hpp"
#include "fuzz/target.hpp"
#include "properties/streams/known_vm.hpp"
#include "properties/streams/mutate.hpp"

namespace {

using namespace vcpr;
using Bytes = std::span<const std::byte>;

/// Fields come in order, apart from each other, and all of them inside the stream.
class OrderedFields final : public vmstate::Observer {
 public:
  explicit OrderedFields(std::uint64_t size) : size_(size) {}
  void field(const vmstate::FieldSeen& seen) override {
    if (seen.offset < end_ || seen.size > size_ - seen.offset) std::abort();
    end_ = seen.offset + seen.size;
    covered += seen.size;
  }
  std::uint64_t covered = 0;

 private:
  std::uint64_t size_;
  std::uint64_t end_ = 0;
};

void every_byte_is_in_a_field_or_unread(Bytes stream) {
  OrderedFields fields(stream.size());
  vmstate::Dissection dissection = vmstate::dissect_main_stream(stream, fields);
  std::uint64_t unread = 0;
  for (vmstate::ByteRange range : dissection.unread) unread += range.end - range.begin;
  if (fields.covered + unread != stream.size()) std::abort();
  if (dissection.error) fuzz::refusal_names_a_byte_of_the_stream(*dissection.error, stream.size());
}

void document_encodes_to_its_stream(const vmstate::MainStreamDocument& document, Bytes stream) {
  if (!std::ranges::equal(encode_main_stream(document), stream)) std::abort();
}

/// What was loaded is saved; another VM of the same sections that loads it saves the same bytes.
void loaded_state_survives_another_load(const streams::KnownVm& vm, streams::KnownVm other) {
  auto once = vm.save();
  if (!once || vmstate::parse_main_stream(*once).error) std::abort();
  if (!other.load(*once) || other.save().value_or(streams::Stream()) != *once) std::abort();
}

fuzz::Ran run(std::span<const std::uint8_t> input, const fuzz::Explain* explain) {
  const Bytes stream = std::as_bytes(input);
  every_byte_is_in_a_field_or_unread(stream);
  const vmstate::ParsedMainStream parsed = vmstate::parse_main_stream(stream);
  if (parsed.error) fuzz::refusal_names_a_byte_of_the_stream(*parsed.error, stream.size());
  if (!parsed.error) document_encodes_to_its_stream(parsed.document, stream);
  if (explain) (*explain)(parsed.error ? "not taken apart: " + parsed.error->message() : "taken apart");

  streams::KnownVm vm(stream, parsed.document);
  const Expected<void> loaded = vm.load(stream);
  if (explain) (*explain)(loaded ? "loaded" : "refused: " + loaded.error().message());
  if (loaded) loaded_state_survives_another_load(vm, streams::KnownVm(stream, parsed.document));
  if (!loaded) fuzz::refusal_names_a_byte_of_the_stream(loaded.error(), stream.size());
  return parsed.parsed_bytes * 2 + loaded.has_value();
}

std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t capacity, fuzz::Draw draw) {
  return streams::mutate(streams::StreamKind::main, data, size, capacity, draw.seed);
}

VCPR_FUZZ_TARGET(main_stream, "a main stream is understood up to a named byte, and kept to the byte", run, mutate)

}  // namespace
