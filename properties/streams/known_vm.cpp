#include "properties/streams/known_vm.hpp"

#include <algorithm>

namespace vcpr::streams {

namespace {

/// Bytes of a vfio-cpr-pci section beside its config space and MSI-X table: version, four INTx levels, INTx state.
constexpr std::size_t kFixedPciBytes = 4 + 16 + 9;

/// The device that a section of this size belongs to: only the device knows, never the stream.
vmstate::VfioCprPci device_of_size(std::size_t payload) {
  vmstate::VfioCprPci device;
  vmstate::PciFunction& function = device.function;
  std::size_t rest = payload - std::min(payload, kFixedPciBytes);
  function.is_express = rest >= vmstate::kPcieConfigBytes;
  std::size_t config =
      static_cast<std::size_t>(function.is_express ? vmstate::kPcieConfigBytes : vmstate::kPciConfigBytes);
  std::size_t msix = rest - std::min(rest, config);
  function.msix_vectors = static_cast<std::uint32_t>(std::min<std::size_t>(msix * 8 / 129, vmstate::kMaxMsixVectors));
  if (msix > 0 && function.msix_vectors == 0) function.msix_vectors = 1;
  while (static_cast<std::size_t>(function.msix_bytes()) < msix && function.msix_vectors < vmstate::kMaxMsixVectors) {
    ++function.msix_vectors;
  }
  return device;
}

}  // namespace

Expected<void> KnownVm::Ram::save_start(wire::Writer& out) {
  return write_ram_setup(blocks_, out);
}

Expected<void> KnownVm::Ram::save_last_part(wire::Writer& out) {
  vmstate::write_ram_end(out);
  return {};
}

Expected<void> KnownVm::Ram::load_part(wire::Reader& in, std::uint32_t) {
  auto part = vmstate::read_ram_part(in, context_);
  if (!part) return std::unexpected(std::move(part.error()));
  if (blocks_.empty()) blocks_ = std::move(part->blocks);
  return {};
}

KnownVm::KnownVm(std::span<const std::byte> stream, const vmstate::MainStreamDocument& document) {
  wire::Reader in(stream);
  if (vmstate::read_main_header(in)) (void)vmstate::read_configuration(in, configuration_);
  for (const vmstate::MainRecord& record : document.records) {
    if (record.head.is_named()) (void)add(record);  // one that is there twice is registered once
  }
}

Expected<void> KnownVm::add(const vmstate::MainRecord& record) {
  std::string_view idstr = record.head.idstr;
  std::uint32_t instance = record.head.instance_id;
  if (idstr == "ram") {
    Ram& ram = ram_.emplace_back(configuration_.has_capability(vmstate::kIgnoreShared));
    return sections_.add_iterable(idstr, instance, vmstate::kRamVersion, ram);
  }
  if (idstr == "globalstate") {
    return sections_.add(idstr, instance, vmstate::kGlobalState, global_states_.emplace_back());
  }
  if (idstr == "vfio-container") return sections_.add(idstr, instance, vmstate::kVfioContainer, container_);
  if (idstr == "iommufd") return sections_.add(idstr, instance, vmstate::kIommufd, iommufd_);
  if (!idstr.ends_with("/vfio-cpr-pci")) return {};
  return sections_.add(idstr, instance, vmstate::kVfioCprPci,
                       devices_.emplace_back(device_of_size(record.payload.size())));
}

Expected<void> KnownVm::load(std::span<const std::byte> stream) {
  wire::Reader in(stream);
  auto loaded = vmstate::load_main_stream(configuration_, sections_, in);
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  return {};
}

Expected<Stream> KnownVm::save() const {
  wire::Outbox out;
  wire::Writer writer(out);
  if (auto saved = vmstate::save_main_stream(configuration_, sections_, {}, writer); !saved) {
    return std::unexpected(std::move(saved.error()));
  }
  return std::move(out.bytes);
}

}  // namespace vcpr::streams
