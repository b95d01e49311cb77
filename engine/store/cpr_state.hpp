// What survives, as one value.
#pragma once

#include "engine/store/descriptor_table.hpp"
#include "engine/store/device_records.hpp"

namespace vcpr::store {

struct CprState {
  DescriptorTable descriptors;
  DeviceRecords devices;
};

}  // namespace vcpr::store
