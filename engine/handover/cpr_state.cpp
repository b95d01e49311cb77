#include "engine/handover/cpr_state.hpp"

#include <utility>

#include "engine/store/cpr_state_description.hpp"
#include "engine/vmstate/codec.hpp"

namespace vcpr::handover {

namespace {

using vmstate::DescriptorEncoding;

DescriptorEncoding riding_or_number(Encoding encoding) {
  return encoding == Encoding::transfer ? DescriptorEncoding::riding : DescriptorEncoding::number;
}

/// An entry in a stream, most of it the name.
constexpr std::size_t kTypicalEntryBytes = 32;

void reserve_for(CprState& state, std::size_t stream_bytes) {
  state.descriptors.reserve(stream_bytes / kTypicalEntryBytes, stream_bytes);
}

Expected<void> check_everything_used(const wire::Reader& in, std::span<const wire::ArrivedFd> descriptors) {
  if (Expected<void> ended = vmstate::expect_end(in); !ended) return ended;
  std::size_t left = in.descriptors_left();
  if (left == 0) return {};
  const wire::ArrivedFd& extra = descriptors[descriptors.size() - left];
  return refuse_at(ErrorCode::extra_descriptor, extra.first_byte,
                   {Decimal(std::uint64_t{left}), " descriptors came that no entry asks for"});
}

Expected<void> load_into(CprState& state, os::Kernel& kernel, wire::Inbox& inbox, Encoding encoding, Peer peer) {
  if (Expected<void> header = check_cpr_header(inbox.bytes); !header) return header;
  reserve_for(state, inbox.bytes.size());
  store::StateOnWire lists;
  lists.loading_into(state, kernel, riding_or_number(encoding), inbox.bytes, kCprHeaderBytes);
  wire::Reader in(inbox.bytes, inbox.descriptors);
  (void)in.bytes(kCprHeaderBytes, "header");
  vmstate::LoadOptions options{.descriptors = riding_or_number(encoding),
                               .accept_empty_subsections = peer == Peer::stub,
                               .accept_missing_subsections = peer == Peer::qemu_10_0};
  if (Expected<void> loaded = vmstate::load(store::kCprState, kCprVersion, lists, in, options); !loaded) return loaded;
  return check_everything_used(in, inbox.descriptors);
}

/// Reports the header as far as it is there.
void observe_header(std::span<const std::byte> bytes, vmstate::Observer& observer) {
  wire::Reader in(bytes);
  for (auto [path, role] : {std::pair{"magic", vmstate::Role::magic}, {"version", vmstate::Role::version}}) {
    std::uint64_t offset = in.offset();
    Expected<std::uint32_t> word = in.be32(path);
    if (!word) return;
    observer.field({offset, 4, path, role, "uint32", Decimal(*word)});
  }
}

}  // namespace

Expected<void> save_cpr_state(const CprState& state, Encoding encoding, wire::Outbox& out) {
  store::StateOnWire lists = store::StateOnWire::saving(state);
  out.bytes.reserve(out.bytes.size() + (lists.fds.count + lists.devices.count + 2) * kTypicalEntryBytes);
  out.descriptors.reserve(out.descriptors.size() + lists.fds.count);
  wire::Writer writer(out);
  writer.be32(kCprMagic);
  writer.be32(kCprVersion);
  return vmstate::save(store::kCprState, lists, writer, {.descriptors = riding_or_number(encoding)});
}

Expected<CprState> load_cpr_state(os::Kernel& kernel, wire::Inbox inbox, Encoding encoding, Peer peer) {
  Expected<CprState> state(std::in_place);
  if (Expected<void> loaded = load_into(*state, kernel, inbox, encoding, peer); !loaded) {
    if (encoding == Encoding::exec) state->descriptors.disown();
    state = std::unexpected(std::move(loaded.error()));
  }
  return state;
}

std::optional<Error> observe_cpr_state(std::span<const std::byte> bytes, Encoding encoding,
                                       vmstate::Observer& observer) {
  observe_header(bytes, observer);
  if (Expected<void> header = check_cpr_header(bytes); !header) return header.error();
  wire::Reader in(bytes);
  (void)in.bytes(kCprHeaderBytes, "header");
  store::StateOnWire scratch;
  Expected<void> seen =
      vmstate::observe(store::kCprState, kCprVersion, scratch, in, riding_or_number(encoding), "", observer);
  if (seen) seen = vmstate::expect_end(in);
  if (!seen) return seen.error();
  return std::nullopt;
}

Expected<void> check_cpr_header(std::span<const std::byte> prefix) {
  wire::Reader in(prefix);
  Expected<std::uint32_t> magic = in.be32("magic");
  if (!magic) return std::unexpected(std::move(magic.error()));
  if (*magic != kCprMagic) {
    return refuse_at(ErrorCode::bad_magic, 0,
                     {"magic ", Decimal(*magic), " is not that of a CPR state, ", Decimal(kCprMagic)});
  }
  Expected<std::uint32_t> version = in.be32("version");
  if (!version) return std::unexpected(std::move(version.error()));
  if (*version != kCprVersion) {
    return refuse_at(ErrorCode::bad_version, 4,
                     {"version ", Decimal(*version), ", only ", Decimal(kCprVersion), " is known"});
  }
  return {};
}

}  // namespace vcpr::handover
