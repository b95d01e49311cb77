#include "engine/store/device_records.hpp"

#include <utility>

namespace vcpr::store {

namespace {

constexpr std::uint32_t kNowhere = HashIndex::kNowhere;

/// Records have no id of their own.
Key key_of(std::string_view device) {
  return {device, 0};
}

std::unexpected<Error> missing(std::string_view device) {
  return refuse(ErrorCode::missing_key, {"device ", quoted(device), ": has no record"});
}

Expected<void> check_ids(std::string_view device, DeviceIds ids) {
  if (ids.devid < 1) {
    return refuse(ErrorCode::bad_value,
                  {"device ", quoted(device), ": devid ", Decimal(ids.devid), ", the kernel counts from 1"});
  }
  if (ids.ioas_id < 1) {
    return refuse(ErrorCode::bad_value, {"device ", quoted(device), ": IOAS 0, the kernel counts from 1"});
  }
  return {};
}

}  // namespace

DeviceRecords::DeviceRecords(DeviceRecords&& other) noexcept : records_(std::exchange(other.records_, {})) {}

DeviceRecords& DeviceRecords::operator=(DeviceRecords&& other) noexcept {
  if (this != &other) records_ = std::exchange(other.records_, {});
  return *this;
}

Expected<void> DeviceRecords::add(std::string_view device, DeviceIds ids) {
  if (Expected<void> named = check_name(device); !named) return named;
  if (Expected<void> checked = check_ids(device, ids); !checked) return checked;
  std::uint32_t hash = hash_of(key_of(device));
  if (records_.is_crowded(hash)) return refuse(ErrorCode::too_long, {"device ", quoted(device), kCrowded});
  if (records_.find(key_of(device), hash) != kNowhere) {
    return refuse(ErrorCode::duplicate_key, {"device ", quoted(device), ": recorded twice"});
  }
  if (records_.size() == kMaxEntries) {
    return refuse(ErrorCode::too_long, {"device ", quoted(device), ": the list is full with ",
                                        Decimal(std::uint64_t{kMaxEntries}), " records"});
  }
  records_.append(key_of(device), hash, ids);
  return {};
}

Expected<DeviceIds> DeviceRecords::find(std::string_view device) const {
  std::uint32_t position = records_.find(key_of(device));
  if (position == kNowhere) return missing(device);
  return records_.value(position);
}

Expected<void> DeviceRecords::remove(std::string_view device) {
  std::uint32_t position = records_.find(key_of(device));
  if (position == kNowhere) return missing(device);
  records_.erase(position);
  if (records_.compaction_due()) records_.compact();
  return {};
}

}  // namespace vcpr::store
