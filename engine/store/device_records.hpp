// The iommufd ids of each device, which no ioctl can ask for again: they travel in the CPR state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/os/error.hpp"

namespace vcpr::store {

/// Object ids of one iommufd (kernel: allocated from 1 upward in one namespace).
struct DeviceIds {
  std::int32_t devid = 0;
  std::uint32_t ioas_id = 0;
  std::uint32_t hwpt_id = 0;
  bool operator==(const DeviceIds&) const = default;
};

/// name -> ids, names unique, O(1).
class DeviceRecords {
 public:
  DeviceRecords();
  DeviceRecords(DeviceRecords&&) noexcept;
  DeviceRecords& operator=(DeviceRecords&&) noexcept;
  ~DeviceRecords();
  /// duplicate_key, bad_text, bad_length; bad_value for a devid below 1 or an id of 0.
  Expected<void> add(std::string_view device, DeviceIds ids);
  Expected<DeviceIds> find(std::string_view device) const;  ///< missing_key
  Expected<void> remove(std::string_view device);           ///< missing_key
  std::size_t size() const;
  /// By position in order of insertion (a load keeps the order of the stream).
  struct Record {
    std::string_view device;
    DeviceIds ids;
  };
  Record at(std::size_t position) const;

 private:
  // the room's owner fills this in
};

}  // namespace vcpr::store
