#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

bool has(const Scenario& scenario, Feature feature) {
  return (scenario.without >> static_cast<unsigned>(feature) & 1) == 0;
}

whole_vm::Shape shape(const Scenario& scenario) {
  whole_vm::Shape shape;
  for (const Device& device : scenario.devices)
    shape.devices.push_back({device.model, device.backend, device.interrupt, device.vectors});
  shape.kvm = has(scenario, Feature::kvm);
  shape.ram_blocks = scenario.ram_blocks;
  machine::Switches& switches = shape.switches;
  switches.socket_buffer_bytes = scenario.socket_buffer;
  switches.memfd_noexec = scenario.noexec;
  switches.irqfd_excludes_other_vms = has(scenario, Feature::exclusive_irqfds);
  switches.update_vaddr = has(scenario, Feature::update_vaddr);
  switches.unmap_all = has(scenario, Feature::unmap_all);
  switches.dirty_tracking = has(scenario, Feature::dirty_tracking);
  switches.change_process = has(scenario, Feature::change_process);
  switches.map_file = has(scenario, Feature::map_file);
  switches.device_cdev = has(scenario, Feature::device_cdev);
  switches.dynamic_msix = has(scenario, Feature::dynamic_msix);
  switches.ipc_lock = has(scenario, Feature::ipc_lock);
  return shape;
}

}  // namespace vcpr::vm_scenario
