// vcpr load: a CPR state as a new process would take it over, on the simulated machine.
#include <CLI/CLI.hpp>
#include <charconv>
#include <fmt/core.h>
#include <map>

#include "engine/handover/exec.hpp"
#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/recorded_stream.hpp"
#include "fuzz/vcpr/sidecar.hpp"
#include "properties/streams/delivery.hpp"
#include "properties/streams/exec_input.hpp"
#include "properties/streams/stand_in.hpp"

namespace vcpr::tool {

namespace {

using handover::CprState;
using handover::Peer;

const std::map<std::string, streams::StreamKind> kModes = {{"transfer", streams::StreamKind::transfer},
                                                           {"exec", streams::StreamKind::exec}};
const std::map<std::string, Peer> kPeers = {{"10.0", Peer::qemu_10_0}, {"stub", Peer::stub}};

struct Options {
  std::string file;
  std::optional<streams::StreamKind> mode;
  std::string sidecar_file;
  std::vector<std::string> required;
  Peer peer = Peer::current;
};

/// "NAME" or "NAME:ID"; names have colons too ("0000:3a:00.1_interrupt"), so only digits behind the last one are an id.
store::Key key_of(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {text, 0};
  std::string_view digits = text.substr(colon + 1);
  std::int32_t id = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  bool is_id = !digits.empty() && error == std::errc() && end == digits.data() + digits.size();
  return is_id ? store::Key{text.substr(0, colon), id} : store::Key{text, 0};
}

/// A stream that is damaged may look like one of another kind: its sidecar knows.
streams::StreamKind kind_of(StreamKind recorded) {
  if (recorded == StreamKind::main) return streams::StreamKind::main;
  return recorded == StreamKind::cprexec ? streams::StreamKind::exec : streams::StreamKind::transfer;
}

machine::FileKind file_kind(RecordedKind kind) {
  switch (kind) {
    case RecordedKind::memfd:
      return machine::FileKind::memfd;
    case RecordedKind::file:
      return machine::FileKind::file;
    case RecordedKind::eventfd:
      return machine::FileKind::eventfd;
    case RecordedKind::chardev:
      return machine::FileKind::character_device;
    case RecordedKind::vfio_device:
      return machine::FileKind::anonymous;
    case RecordedKind::socket:
      return machine::FileKind::socket;
    case RecordedKind::pipe:
      return machine::FileKind::pipe;
  }
  return machine::FileKind::anonymous;
}

/// As the recorder saw it; the text of the link belongs to `recorded`.
machine::Described described(const RecordedDescriptor& recorded) {
  machine::Described description;
  // Device numbers are not recorded; the path tells the container from the others.
  if (recorded.link == "/dev/vfio/vfio") description = streams::stand_in(store::DescriptorKind::vfio_container);
  description.kind = file_kind(recorded.kind);
  description.link = recorded.link;
  description.mode = recorded.mode;
  description.size = recorded.size;
  description.seals = static_cast<std::uint32_t>(recorded.seals.value_or(0));
  description.status_flags = static_cast<int>(recorded.flags);
  description.offset = recorded.position;
  if (recorded.fd >= 0) description.number = recorded.fd;
  return description;
}

Expected<CprState> transfer(streams::Delivery& delivery, const RecordedStream& stream, const Sidecar* sidecar,
                            Peer peer) {
  streams::TransferInput input;
  input.peer = peer;
  input.stream = stream.bytes;
  if (!sidecar) return delivery.run(input, delivery.prepare(input));
  std::vector<wire::RidingFd> rides;
  for (const RecordedDescriptor& recorded : sidecar->descriptors) {
    rides.push_back({recorded.stream_offset, delivery.source().install(described(recorded))});
  }
  return delivery.run(input, rides);
}

Expected<CprState> exec(machine::Process& process, const RecordedStream& stream, const Sidecar* sidecar, Peer peer) {
  if (!sidecar) {
    streams::ExecInput input;
    input.stream = stream.bytes;
    (void)streams::furnish(process, input);
    return handover::load_exec_state(process.kernel(), peer);
  }
  for (const RecordedDescriptor& recorded : sidecar->descriptors) {
    machine::Described description = described(recorded);
    if (recorded.fd == sidecar->state_fd) description.size = stream.bytes.size();
    (void)process.install(description);
  }
  (void)process.fill(sidecar->state_fd, 0, stream.bytes);
  for (const auto& [name, value] : sidecar->environment) {
    (void)process.kernel().setenv(name.c_str(), value.c_str());
  }
  return handover::load_exec_state(process.kernel(), peer);
}

void print(const CprState& state, os::Kernel& kernel) {
  fmt::print("{:<6} {:<16} {:>6}  {}\n", "fd", "kind", "id", "name");
  for (store::Entry entry : state.descriptors) {
    auto kind = store::kind_of(kernel, entry.number);
    fmt::print("{:<6} {:<16} {:>6}  {}\n", entry.number, kind ? name(*kind) : kind.error().message(), entry.key.id,
               entry.key.name);
  }
  for (store::DeviceRecords::Record record : state.devices) {
    fmt::print("device {} devid {} ioas {} hwpt {}\n", record.device, record.ids.devid, record.ids.ioas_id,
               record.ids.hwpt_id);
  }
  fmt::print("{} descriptors, {} devices\n", state.descriptors.size(), state.devices.size());
}

Expected<void> claim_required(CprState& state, const Options& options) {
  for (const std::string& required : options.required) {
    auto claimed = state.descriptors.claim(key_of(required));
    if (!claimed) return std::unexpected(std::move(claimed.error()));
  }
  return {};
}

int load(const Options& options) {
  auto stream = read_stream(options.file, options.mode);
  if (!stream) return complain(kMisuse, stream.error());
  std::optional<Sidecar> sidecar;
  if (!options.sidecar_file.empty()) {
    auto read = read_sidecar(options.sidecar_file);
    if (!read) return complain(kMisuse, read.error());
    sidecar = std::move(*read);
    if (!options.mode) stream->kind = kind_of(sidecar->stream);
  }
  if (stream->kind == streams::StreamKind::main)
    return complain(kRefused, options.file + ": a main stream, not a CPR state");

  machine::Machine machine;
  streams::Delivery delivery(machine);
  const Sidecar* given = sidecar ? &*sidecar : nullptr;
  machine::Process& process = stream->kind == streams::StreamKind::exec ? machine.spawn() : delivery.target();
  auto state = stream->kind == streams::StreamKind::exec ? exec(process, *stream, given, options.peer)
                                                         : transfer(delivery, *stream, given, options.peer);
  if (!state) return complain(kRefused, options.file + ": " + state.error().message());
  if (auto claimed = claim_required(*state, options); !claimed) {
    return complain(kRefused, options.file + ": " + claimed.error().message());
  }
  print(*state, process.kernel());
  return kDone;
}

}  // namespace

void add_load(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand(
      "load", "Load a CPR state as a new process would, on the simulated machine, and print its table");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "Recorded CPR state")->required()->check(CLI::ExistingFile);
  command
      ->add_option("--mode", options->mode,
                   "How it came: transfer or exec (default: what the sidecar or the bytes say)")
      ->transform(CLI::CheckedTransformer(kModes));
  command
      ->add_option("--sidecar", options->sidecar_file,
                   "The descriptors that came with it (default: made up as the names want them)")
      ->check(CLI::ExistingFile);
  command->add_option("--require", options->required, "NAME or NAME:ID of an entry that must be there; may be repeated")
      ->allow_extra_args(false);
  command
      ->add_option("--accept-peer", options->peer,
                   "Accept a state without device list too: 10.0 (no subsection), stub (built without iommufd)")
      ->transform(CLI::CheckedTransformer(kPeers));
  command->callback([&status, options] { status = load(*options); });
}

}  // namespace vcpr::tool
