#include "properties/machine/wiring.hpp"

#include <algorithm>
#include <utility>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/iommufd/device.hpp"
#include "properties/machine/kvm/irqfd.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/pci/config_space.hpp"
#include "properties/machine/vfio/type1.hpp"

namespace vcpr::machine {

namespace abi = os::abi;

namespace {

// Of a machine with a few devices: lists begin with room for as many.
constexpr std::size_t kUsualDevices = 4;
constexpr std::size_t kUsualFacts = 16;

std::uint32_t id_of(const Description* description) {
  return description != nullptr ? description->id : 0;
}

/// One fact per piece of memory; `fact` as it is where nothing is pinned.
void add_pieces(std::vector<MappingFact>& facts, MappingFact fact, const Pins& pins) {
  if (pins.runs == nullptr) return facts.push_back(fact);
  const std::uint64_t end = fact.iova + (fact.size - 1);
  fact.is_pinned = true;
  for (const PinnedRun* run = pins.runs; run != nullptr; run = run->next) {
    fact.memory = run->memory->inode();
    fact.page = run->first;
    fact.size = std::min(run->pages * kPageBytes, end - fact.iova + 1);
    facts.push_back(fact);
    fact.iova += fact.size;
    fact.vaddr += fact.is_file ? 0 : fact.size;
  }
}

void add_owner(MappingFact& fact, const Mm& mm) {
  fact.owner = mm.process;
  fact.owner_alive = mm.has_users();
}

void add_type1(std::vector<MappingFact>& facts, const Type1& type1) {
  for (std::uint32_t i = 0; i < type1.mappings().count(); ++i) {
    const DmaMapping& each = type1.mappings().at(i);
    MappingFact fact{type1.number(), each.iova, each.size, each.may_read, each.may_write};
    fact.vaddr = each.vaddr;
    fact.vaddr_valid = !each.vaddr_invalid;
    add_owner(fact, each.owner);
    add_pieces(facts, fact, each.pins);
  }
}

void add_ioas(std::vector<MappingFact>& facts, const Ioas& ioas) {
  for (const IoArea* each = ioas.areas; each != nullptr; each = each->next) {
    const IoPages& pages = *each->pages;
    MappingFact fact{ioas.number, each->iova, each->last - each->iova + 1, each->readable, each->writable};
    const std::uint64_t start = pages.start + each->first_page * kPageBytes + each->page_offset;
    fact.is_file = pages.is_file;
    fact.vaddr = pages.is_file ? 0 : start;
    if (pages.file != nullptr) fact.memory = pages.file->inode();
    if (pages.file != nullptr) fact.page = start / kPageBytes;
    add_owner(fact, pages.mm);
    add_pieces(facts, fact, each->pins);
  }
}

const GroupBacking* backing_of(const IommuGroup& group) {
  return group.opened != nullptr ? group.opened->backing : nullptr;
}

const Type1* type1_of(const IommuGroup& group) {
  const GroupBacking* backing = backing_of(group);
  return backing != nullptr ? backing->type1() : nullptr;
}

std::uint32_t container_of(const Machine::Impl& machine, const IommuGroup& group) {
  const GroupBacking* backing = backing_of(group);
  if (backing == nullptr) return 0;
  for (const Description* each = machine.first_description; each != nullptr; each = each->next)
    if (each->object != nullptr && each->object->group_backing() == backing) return each->id;
  return 0;
}

}  // namespace

std::vector<MappingFact> mappings(const Machine::Impl& machine) {
  std::vector<MappingFact> facts;
  facts.reserve(kUsualFacts);
  for (const IommuGroup* each = machine.groups; each != nullptr; each = each->next) {
    const Type1* type1 = type1_of(*each);
    const bool is_first = type1 != nullptr && std::ranges::none_of(facts, [&](const MappingFact& fact) {
                            return fact.space == type1->number();
                          });
    if (is_first) add_type1(facts, *type1);
  }
  for (const Description* each = machine.first_description; each != nullptr; each = each->next) {
    if (each->device != Device::iommufd || each->object == nullptr) continue;
    for (const IommufdObject* object = iommufd_of(*each).objects.first(); object != nullptr; object = object->next)
      if (object->kind == ObjectKind::ioas) add_ioas(facts, static_cast<const Ioas&>(*object));
  }
  std::ranges::sort(facts, {}, [](const MappingFact& each) { return std::pair(each.space, each.iova); });
  return facts;
}

std::vector<TriggerFact> triggers(const Machine::Impl& machine) {
  std::vector<TriggerFact> facts;
  facts.reserve(kUsualFacts);
  for (const VfioDevice* device = machine.devices; device != nullptr; device = device->next) {
    const Interrupts& irqs = device->interrupts;
    const auto add = [&](std::uint32_t index, std::uint32_t vector, const Description* eventfd) {
      if (eventfd != nullptr) facts.push_back({device->number, index, vector, eventfd->id});
    };
    add(abi::vfio_pci_intx_irq_index, 0, irqs.intx);
    const bool extended = irqs.mode == IrqMode::msix;
    for (std::uint32_t vector = 0; vector < device->function.model.messages(); ++vector)
      add(extended ? abi::vfio_pci_msix_irq_index : abi::vfio_pci_msi_irq_index, vector, irqs.vectors[vector]);
    add(abi::vfio_pci_err_irq_index, 0, irqs.error);
    add(abi::vfio_pci_req_irq_index, 0, irqs.request);
  }
  return facts;
}

std::vector<IrqfdFact> irqfds(const Machine::Impl& machine) {
  std::vector<IrqfdFact> facts;
  facts.reserve(kUsualFacts);
  for (const KvmVm* vm = machine.vms; vm != nullptr; vm = vm->next)
    for_each_irqfd(*vm, [&](const Description& eventfd, std::uint32_t gsi, const Description* resample) {
      facts.push_back({vm->description, vm->mm.process, eventfd.id, gsi, id_of(resample)});
    });
  return facts;
}

bool has_irqfds(const Machine::Impl& machine, const Process& process) {
  for (const KvmVm* vm = machine.vms; vm != nullptr; vm = vm->next)
    if (vm->irqfds != nullptr && vm->mm.process == &process) return true;
  return false;
}

bool has_invalid_vaddrs(const Machine::Impl& machine) {
  for (const IommuGroup* each = machine.groups; each != nullptr; each = each->next)
    if (const Type1* type1 = type1_of(*each); type1 != nullptr && type1->has_invalid_vaddrs()) return true;
  return false;
}

std::vector<DeviceFact> devices(const Machine::Impl& machine) {
  std::vector<DeviceFact> facts;
  facts.reserve(kUsualDevices);
  for (const VfioDevice* each = machine.devices; each != nullptr; each = each->next) {
    DeviceFact fact;
    fact.number = each->number;
    fact.name = each->name;
    fact.group = each->group.number;
    fact.open_files = each->open_count;
    fact.intx_masked = each->interrupts.intx_masked;
    fact.intx_disabled = each->interrupts.intx_disabled;
    fact.intx_unmask = id_of(each->interrupts.unmask.eventfd);
    fact.command = read_command(each->function);
    if (each->bound != nullptr) {
      fact.iommufd = each->bound->file.id;
      fact.devid = each->bound->id;
      if (const Hwpt* hwpt = each->bound->attached; hwpt != nullptr) {
        fact.attached_hwpt = hwpt->id;
        fact.attached_ioas = hwpt->ioas.id;
      }
    }
    facts.push_back(fact);
  }
  return facts;
}

std::vector<GroupFact> groups(const Machine::Impl& machine) {
  std::vector<GroupFact> facts;
  facts.reserve(kUsualDevices);
  for (const IommuGroup* each = machine.groups; each != nullptr; each = each->next) {
    const Type1* type1 = type1_of(*each);
    facts.push_back({each->number, container_of(machine, *each), type1 != nullptr ? type1->number() : 0});
  }
  return facts;
}

std::vector<PageTableFact> page_tables(const Machine::Impl& machine) {
  std::vector<PageTableFact> facts;
  for (const Description* each = machine.first_description; each != nullptr; each = each->next) {
    if (each->device != Device::iommufd || each->object == nullptr) continue;
    for (const IommufdObject* object = iommufd_of(*each).objects.first(); object != nullptr; object = object->next) {
      if (object->kind != ObjectKind::hwpt || static_cast<const Hwpt&>(*object).is_automatic) continue;
      facts.push_back({each->id, object->id, object->users});
    }
  }
  return facts;
}

std::optional<PageFact> page_behind(Process& process, std::uint64_t vaddr) {
  const Mapping* mapping = state_of(process).space.find(vaddr);
  if (mapping == nullptr) return std::nullopt;
  const std::uint64_t own = (vaddr - mapping->own_base) / kPageBytes;
  if (mapping->own != nullptr && mapping->own->find_page(own) != nullptr) return PageFact{mapping->own->inode(), own};
  if (mapping->memory == nullptr) return std::nullopt;
  return PageFact{mapping->memory->inode(), (mapping->offset + (vaddr - mapping->start)) / kPageBytes};
}

}  // namespace vcpr::machine
