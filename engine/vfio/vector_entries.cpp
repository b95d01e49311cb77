#include "engine/vfio/vector_entries.hpp"

#include <array>

#include "engine/vfio/pci_device.hpp"

namespace vcpr::vfio {

namespace {

constexpr std::array<std::string_view, 2> kMessageEntries{"interrupt", "kvm_interrupt"};
constexpr std::array<std::string_view, 2> kLineEntries{"intx-interrupt", "intx-unmask"};

const store::DescriptorTable& table(const PciDevice& device) {
  return device.vm().life.cpr.descriptors;
}

}  // namespace

std::string vector_entry_name(const PciDevice& device, std::string_view name) {
  std::string full = device.name();
  full.reserve(full.size() + 1 + name.size());
  return full.append("_").append(name);
}

bool has_vector_fd(const PciDevice& device, std::string_view name, std::int32_t number) {
  return table(device).contains({vector_entry_name(device, name), number});
}

Expected<void> check_vector_fd(const PciDevice& device, std::string_view name, std::int32_t number,
                               std::string_view why) {
  const std::string full = vector_entry_name(device, name);
  if (table(device).contains({full, number})) return {};
  return refuse(ErrorCode::missing_key, {store::describe({full, number}), ": did not come, though ", why});
}

Expected<void> check_no_vector_fd(const PciDevice& device, std::string_view name) {
  const std::string full = vector_entry_name(device, name);
  if (!table(device).contains({full, 0})) return {};
  return refuse(ErrorCode::bad_value, {store::describe({full, 0}), ": came, though the loaded device does not use it"});
}

Expected<void> check_vector_entries(const PciDevice& device, std::uint32_t number, bool needed, bool with_kvm) {
  const auto id = static_cast<std::int32_t>(number);
  const bool has_kvm = has_vector_fd(device, kMessageEntries[1], id);
  if (!needed && !has_kvm && !has_vector_fd(device, kMessageEntries[0], id)) return {};
  const std::string_view why = needed ? "the loaded device has the vector enabled" : "the vector is in use";
  if (auto came = check_vector_fd(device, kMessageEntries[0], id, why); !came) return came;
  if (with_kvm) return check_vector_fd(device, kMessageEntries[1], id, why);
  if (!has_kvm) return {};
  return refuse(ErrorCode::bad_value, {store::describe({vector_entry_name(device, kMessageEntries[1]), id}),
                                       ": came, but KVM does not deliver here"});
}

Expected<void> check_no_vector_entries(const PciDevice& device, std::uint32_t end) {
  const std::array<std::string, 2> names{vector_entry_name(device, kMessageEntries[0]),
                                         vector_entry_name(device, kMessageEntries[1])};
  for (const store::Entry& each : table(device)) {
    if (each.key.name != names[0] && each.key.name != names[1]) continue;
    if (each.key.id >= 0 && static_cast<std::uint32_t>(each.key.id) < end) continue;
    return refuse(ErrorCode::bad_value,
                  {store::describe(each.key), ": the loaded device has ", Decimal(end), " vectors enabled"});
  }
  return {};
}

Expected<void> claim_vector_entries(PciDevice& device, std::uint32_t end) {
  store::DescriptorTable& descriptors = device.vm().life.cpr.descriptors;
  const auto claim = [&](const std::string& name, std::int32_t id) -> Expected<void> {
    if (!descriptors.contains({name, id})) return {};
    auto claimed = descriptors.claim({name, id});
    return claimed ? Expected<void>() : std::unexpected(std::move(claimed.error()));
  };
  for (const std::string_view each : kMessageEntries) {
    const std::string name = vector_entry_name(device, each);
    for (std::uint32_t number = 0; number < end; ++number) {
      if (auto claimed = claim(name, static_cast<std::int32_t>(number)); !claimed) return claimed;
    }
  }
  for (const std::string_view each : kLineEntries) {
    if (auto claimed = claim(vector_entry_name(device, each), 0); !claimed) return claimed;
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
