// The CPR state as state descriptions: QEMU's vmstate_cpr_state, vmstate_cpr_fd and vmstate_cpr_vfio_devices
// (migration/cpr.c, hw/vfio/cpr-iommufd.c). engine/vmstate/FORMAT.md, "CPR state", has the bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/store/cpr_state.hpp"
#include "engine/store/device_records.hpp"
#include "engine/store/element_finder.hpp"
#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/fields.hpp"

namespace vcpr::store {

/// An element of the first list, QEMU's "cpr fd".
struct EntryOnWire {
  Key key;
  vmstate::Descriptor fd;
};
inline constexpr vmstate::Field kEntryFields[] = {
    vmstate::counted_name<&EntryOnWire::key, &Key::name>("name", kMaxNameBytes),
    vmstate::field<&EntryOnWire::key, &Key::id>("id"),
    vmstate::descriptor<&EntryOnWire::fd>("fd"),
};
inline constexpr auto kCprFd = vmstate::describe<EntryOnWire>("cpr fd", 1, kEntryFields);

/// An element of the second list, QEMU's "cpr vfio device".
struct RecordOnWire {
  std::string_view name;
  DeviceIds ids;
};
inline constexpr vmstate::Field kRecordFields[] = {
    vmstate::counted_name<&RecordOnWire::name>("name", kMaxNameBytes),
    vmstate::field<&RecordOnWire::ids, &DeviceIds::devid>("devid"),
    vmstate::field<&RecordOnWire::ids, &DeviceIds::ioas_id>("ioas_id"),
    vmstate::field<&RecordOnWire::ids, &DeviceIds::hwpt_id>("hwpt_id"),
};
inline constexpr auto kCprVfioDevice = vmstate::describe<RecordOnWire>("cpr vfio device", 1, kRecordFields);

/// The table between its list in the stream and itself.
struct EntryList {
  // saving: elements are asked for in ascending order
  mutable std::optional<DescriptorTable::Iterator> next = {};
  std::uint64_t count = 0;
  // loading
  os::Kernel* kernel = nullptr;
  DescriptorTable* table = nullptr;
  vmstate::DescriptorEncoding encoding{};
  std::span<const std::byte> bytes = {};  ///< the stream, for errors that name an earlier element
  std::uint64_t begin = 0;                ///< of the list in it

  ElementFinder finder() const;
};

struct RecordList {
  // saving
  mutable std::optional<DeviceRecords::Iterator> next = {};
  std::uint64_t count = 0;
  // loading
  DeviceRecords* records = nullptr;
  const EntryList* before = nullptr;

  ElementFinder finder() const;
};

/// A load takes a number only if it is open, and refuses a key or a name that came before.
struct EntryOperations {
  static std::uint64_t size(const EntryList& list) { return list.count; }
  static EntryOnWire at(const EntryList& list, std::uint64_t position);
  static Expected<void> append(EntryList& list, EntryOnWire&& entry);
};
struct RecordOperations {
  static std::uint64_t size(const RecordList& list) { return list.count; }
  static RecordOnWire at(const RecordList& list, std::uint64_t position);
  static Expected<void> append(RecordList& list, RecordOnWire&& record);
};

/// Both lists between the stream and a state.
struct StateOnWire {
  EntryList fds;
  RecordList devices;

  static StateOnWire saving(const CprState& state);
  /// `begin`: where the first list begins in `bytes`.
  StateOnWire& loading_into(CprState& state, os::Kernel& kernel, vmstate::DescriptorEncoding encoding,
                            std::span<const std::byte> bytes, std::uint64_t begin);
};

inline constexpr std::string_view kVfioDevicesName = "CprState/vfio devices";
inline constexpr vmstate::Field kVfioDevicesFields[] = {
    vmstate::list<&StateOnWire::devices, RecordOperations>("devices", kCprVfioDevice, kMaxEntries),
};
inline constexpr auto kCprVfioDevices =
    vmstate::describe<StateOnWire>(kVfioDevicesName, 1, kVfioDevicesFields).minimum(1).required().possibly_empty();
inline constexpr const vmstate::Description* kCprSubsections[] = {&kCprVfioDevices};
inline constexpr vmstate::Field kCprStateFields[] = {
    vmstate::list<&StateOnWire::fds, EntryOperations>("fds", kCprFd, kMaxEntries),
};
inline constexpr auto kCprState =
    vmstate::describe<StateOnWire>("CprState", 1, kCprStateFields).minimum(1).with_subsections(kCprSubsections);

}  // namespace vcpr::store
