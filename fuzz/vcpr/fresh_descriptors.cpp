#include "fuzz/vcpr/fresh_descriptors.hpp"

#include <string>
#include <string_view>

#include "engine/os/abi.hpp"
#include "engine/wire/inbox.hpp"

namespace vcpr::tool {

namespace {

namespace abi = os::abi;

/// "pc.bios" of "/memfd:pc.bios (deleted)"; any other link as it is.
std::string memfd_name(std::string_view link) {
  constexpr std::string_view kBefore = "/memfd:";
  constexpr std::string_view kAfter = " (deleted)";
  if (link.starts_with(kBefore)) link.remove_prefix(kBefore.size());
  if (link.ends_with(kAfter)) link.remove_suffix(kAfter.size());
  return std::string(link);
}

Expected<os::Fd> owned(os::Kernel& kernel, os::Result<int> number, std::string_view call) {
  if (!number) return refuse_os(number.error(), {call});
  return os::Fd(kernel, *number);
}

Expected<os::Fd> fresh_memory(os::Kernel& kernel, const RecordedDescriptor& recorded) {
  const int seals = recorded.seals.value_or(abi::seal_seal);
  // Without permission to seal, the kernel gives F_SEAL_SEAL by itself.
  const std::uint32_t sealing = seals == abi::seal_seal ? 0 : abi::mfd_allow_sealing;
  const std::string name = memfd_name(recorded.link);
  auto memory = owned(kernel, kernel.memfd_create(name.c_str(), abi::mfd_cloexec | sealing), "memfd_create");
  if (!memory) return memory;
  if (auto sized = kernel.ftruncate(memory->number(), recorded.size); !sized) {
    return refuse_os(sized.error(), {"ftruncate ", vcpr::quoted(name)});
  }
  if (sealing == 0 || seals == 0) return memory;
  if (auto sealed = kernel.fcntl(memory->number(), abi::f_add_seals, seals); !sealed) {
    return refuse_os(sealed.error(), {"F_ADD_SEALS ", vcpr::quoted(name)});
  }
  return memory;
}

Expected<os::Fd> fresh_socket(os::Kernel& kernel) {
  auto ends = kernel.socketpair(abi::af_unix, abi::sock_stream | abi::sock_cloexec, 0);
  if (!ends) return refuse_os(ends.error(), {"socketpair"});
  const os::Fd other(kernel, ends->second);
  return os::Fd(kernel, ends->first);
}

}  // namespace

Expected<os::Fd> make_fresh(os::Kernel& kernel, const RecordedDescriptor& recorded) {
  switch (recorded.kind) {
    case RecordedKind::memfd:
    case RecordedKind::file:  // to whoever receives them both are regular files
      return fresh_memory(kernel, recorded);
    case RecordedKind::eventfd: {
      const int nonblock = static_cast<int>(recorded.flags) & abi::efd_nonblock;
      return owned(kernel, kernel.eventfd(0, abi::efd_cloexec | nonblock), "eventfd");
    }
    case RecordedKind::socket:
      return fresh_socket(kernel);
    case RecordedKind::chardev:
      return owned(kernel, kernel.open(recorded.link.c_str(), abi::o_rdwr | abi::o_cloexec), "open " + recorded.link);
    case RecordedKind::vfio_device:
    case RecordedKind::pipe:
      break;
  }
  return refuse(ErrorCode::wrong_kind, {vcpr::quoted(recorded.link), ": cannot be made anew"});
}

Expected<handover::CprState> fresh_state(os::Kernel& kernel, std::span<const std::byte> stream,
                                         const Sidecar& sidecar) {
  if (sidecar.stream != StreamKind::cpr) {
    return refuse(ErrorCode::bad_value, {vcpr::quoted(sidecar.name), ": not a CPR state by transfer"});
  }
  wire::Inbox inbox;
  inbox.bytes.assign(stream.begin(), stream.end());
  for (const RecordedDescriptor& recorded : sidecar.descriptors) {
    auto fresh = make_fresh(kernel, recorded);
    if (!fresh) return std::unexpected(fresh.error());
    inbox.descriptors.push_back({recorded.stream_offset, std::move(*fresh)});
  }
  return handover::load_cpr_state(kernel, std::move(inbox), handover::Encoding::transfer);
}

}  // namespace vcpr::tool
