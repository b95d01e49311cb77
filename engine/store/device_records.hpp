// The iommufd ids of each device, which no ioctl can ask for again: they travel in the CPR state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/store/keyed_list.hpp"

namespace vcpr::store {

/// Object ids of one iommufd, which gives them out from 1 upward in one namespace (kernel
/// drivers/iommu/iommufd/main.c).
struct DeviceIds {
  std::int32_t devid = 0;
  std::uint32_t ioas_id = 0;
  std::uint32_t hwpt_id = 0;  ///< 0: none, an emulated (mdev) device sits in the IOAS itself
  bool operator==(const DeviceIds&) const = default;
};

/// name -> ids, names unique, every operation but walking O(1).
class DeviceRecords {
 public:
  DeviceRecords() = default;
  DeviceRecords(DeviceRecords&&) noexcept;
  DeviceRecords& operator=(DeviceRecords&&) noexcept;

  /// duplicate_key, bad_text and bad_length (check_name), bad_value for a devid below 1 or an IOAS 0, too_long
  /// (kMaxEntries, or more names made to collide than HashIndex::kMaxProbes).
  Expected<void> add(std::string_view device, DeviceIds ids);
  Expected<DeviceIds> find(std::string_view device) const;  ///< missing_key
  Expected<void> remove(std::string_view device);           ///< missing_key

  std::size_t size() const { return records_.size(); }
  struct Record {
    std::string_view device;  ///< dies with the next change
    DeviceIds ids;
    bool operator==(const Record&) const = default;
  };
  /// Walks the records in order of insertion; a load keeps the order of the stream.
  class Iterator;
  Iterator begin() const;
  Iterator end() const;

 private:
  KeyedList<DeviceIds> records_;
};

class DeviceRecords::Iterator {
 public:
  Iterator(const DeviceRecords& records, std::uint32_t position) : records_(&records), position_(position) {}
  Record operator*() const { return {records_->records_.key_at(position_).name, records_->records_.value(position_)}; }
  Iterator& operator++() {
    position_ = records_->records_.next(position_);
    return *this;
  }
  bool operator==(const Iterator&) const = default;

 private:
  const DeviceRecords* records_;
  std::uint32_t position_;
};

inline DeviceRecords::Iterator DeviceRecords::begin() const {
  return {*this, records_.first()};
}
inline DeviceRecords::Iterator DeviceRecords::end() const {
  return {*this, KeyedList<DeviceIds>::kNowhere};
}

}  // namespace vcpr::store
