#include "engine/vfio/vector_entries.hpp"

#include <algorithm>
#include <array>

#include "engine/vfio/pci_device.hpp"

namespace vcpr::vfio {

namespace {

constexpr std::array<std::string_view, 2> kMessageEntries{"interrupt", "kvm_interrupt"};
constexpr std::array<std::string_view, 2> kLineEntries{"intx-interrupt", "intx-unmask"};

const store::DescriptorTable& table(const PciDevice& device) {
  return device.vm().life.cpr.descriptors;
}

std::unexpected<Error> did_not_come(const store::Key& key, std::string_view why) {
  return refuse(ErrorCode::missing_key, {store::describe(key), ": did not come, though ", why});
}

}  // namespace

VectorEntryName::VectorEntryName(const PciDevice& device, std::string_view name) {
  char* end = text_.data();
  for (std::string_view part : {std::string_view(device.name()), std::string_view("_"), name}) {
    part = part.substr(0, static_cast<std::size_t>(text_.data() + text_.size() - end));
    end = std::copy(part.begin(), part.end(), end);
  }
  size_ = static_cast<std::size_t>(end - text_.data());
}

bool has_vector_fd(const PciDevice& device, std::string_view name, std::int32_t number) {
  return table(device).contains({VectorEntryName(device, name), number});
}

Expected<void> check_vector_fd(const PciDevice& device, std::string_view name, std::int32_t number,
                               std::string_view why) {
  const VectorEntryName full(device, name);
  return table(device).contains({full, number}) ? Expected<void>() : did_not_come({full, number}, why);
}

Expected<void> check_no_vector_fd(const PciDevice& device, std::string_view name) {
  const VectorEntryName full(device, name);
  if (!table(device).contains({full, 0})) return {};
  return refuse(ErrorCode::bad_value, {store::describe({full, 0}), ": came, though the loaded device does not use it"});
}

Expected<void> check_vector_entries(const PciDevice& device, std::uint32_t number, bool needed, bool with_kvm) {
  const VectorEntryName interrupt_name(device, kMessageEntries[0]);
  const VectorEntryName kvm_name(device, kMessageEntries[1]);
  const store::Key interrupt{interrupt_name, static_cast<std::int32_t>(number)};
  const store::Key kvm_interrupt{kvm_name, static_cast<std::int32_t>(number)};
  const bool has_interrupt = table(device).contains(interrupt);
  const bool has_kvm = table(device).contains(kvm_interrupt);
  if (!needed && !has_kvm && !has_interrupt) return {};
  const std::string_view why = needed ? "the loaded device has the vector enabled" : "the vector is in use";
  if (!has_interrupt) return did_not_come(interrupt, why);
  if (has_kvm == with_kvm) return {};
  if (with_kvm) return did_not_come(kvm_interrupt, why);
  return refuse(ErrorCode::bad_value, {store::describe(kvm_interrupt), ": came, but KVM does not deliver here"});
}

Expected<void> check_no_vector_entries(const PciDevice& device, std::uint32_t end) {
  const VectorEntryName interrupt(device, kMessageEntries[0]);
  const VectorEntryName kvm_interrupt(device, kMessageEntries[1]);
  const std::array<std::string_view, 2> names{interrupt, kvm_interrupt};
  for (const store::Entry& each : table(device)) {
    // The ids first: every device walks the entries of all.
    if (each.key.id >= 0 && static_cast<std::uint32_t>(each.key.id) < end) continue;
    if (each.key.name != names[0] && each.key.name != names[1]) continue;
    return refuse(ErrorCode::bad_value,
                  {store::describe(each.key), ": the loaded device has ", Decimal(end), " vectors enabled"});
  }
  return {};
}

Expected<void> claim_vector_entries(PciDevice& device, std::uint32_t end) {
  store::DescriptorTable& descriptors = device.vm().life.cpr.descriptors;
  const auto claim = [&](std::string_view name, std::int32_t id) -> Expected<void> {
    if (!descriptors.contains({name, id})) return {};
    auto claimed = descriptors.claim({name, id});
    return claimed ? Expected<void>() : std::unexpected(std::move(claimed.error()));
  };
  for (const std::string_view each : kMessageEntries) {
    const VectorEntryName name(device, each);
    for (std::uint32_t number = 0; number < end; ++number) {
      if (auto claimed = claim(name, static_cast<std::int32_t>(number)); !claimed) return claimed;
    }
  }
  for (const std::string_view each : kLineEntries) {
    if (auto claimed = claim(VectorEntryName(device, each), 0); !claimed) return claimed;
  }
  return {};
}

void drop_vector_entries(PciDevice& device, std::uint32_t end) {
  for (const std::string_view each : kMessageEntries) {
    for (std::uint32_t number = 0; number < end; ++number) {
      vfio_cpr_delete_vector_fd(device, each, static_cast<std::int32_t>(number));
    }
  }
  for (const std::string_view each : kLineEntries) vfio_cpr_delete_vector_fd(device, each, 0);
}

}  // namespace vcpr::vfio
