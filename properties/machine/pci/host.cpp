#include "properties/machine/event_waiter.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

void Machine::report_device_error(std::uint32_t device) {
  const VfioDevice* found = find_cdev(*impl_, device);
  if (found != nullptr && found->interrupts.error != nullptr) signal_eventfd(*impl_, *found->interrupts.error);
}

void Machine::request_device(std::uint32_t device) {
  const VfioDevice* found = find_cdev(*impl_, device);
  if (found != nullptr && found->interrupts.request != nullptr) signal_eventfd(*impl_, *found->interrupts.request);
}

}  // namespace vcpr::machine
