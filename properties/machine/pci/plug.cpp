#include "properties/machine/iommu.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

namespace {

/// The group of this number, made in its place if it is new.
IommuGroup& group_of(Machine::Impl& machine, std::uint32_t number) {
  IommuGroup** link = &machine.groups;
  while (*link != nullptr && (*link)->number < number) link = &(*link)->next;
  if (*link != nullptr && (*link)->number == number) return **link;
  auto* made = machine.arena.make<IommuGroup>();
  made->number = number;
  made->next = *link;
  *link = made;
  return *made;
}

}  // namespace

std::uint32_t Machine::plug(const Plugged& plugged) {
  IommuGroup& group = group_of(*impl_, plugged.group);
  group.is_emulated = plugged.model == DeviceModel::mediated;
  PciFunction& function = make_function(*impl_, plugged);
  auto* made = impl_->arena.make<VfioDevice>(*impl_, group, function);
  function.device = made;
  made->name = keep_text(impl_->arena, plugged.address);
  VfioDevice** link = &impl_->devices;
  while (*link != nullptr) link = &(*link)->next;
  made->number = impl_->device_count++;
  *link = made;
  link = &group.devices;
  while (*link != nullptr) link = &(*link)->next_in_group;
  *link = made;
  return made->number;
}

}  // namespace vcpr::machine
