#include "engine/vfio/iommufd_container.hpp"

#include <algorithm>

#include "engine/os/abi/vfio.hpp"
#include "engine/vfio/device.hpp"
#include "engine/vfio/ioctl.hpp"

namespace vcpr::vfio {

namespace abi = os::abi;

namespace {

Expected<void> attach_pt(Device& device, std::uint32_t pt) {
  abi::vfio_device_attach_iommufd_pt argument{sizeof argument, 0, pt, 0};
  Expected<int> done =
      call(device.vm().life.kernel, device.fd(), abi::request::vfio_device_attach_iommufd_pt, &argument,
           {"VFIO_DEVICE_ATTACH_IOMMUFD_PT of device ", device.name(), " to object ", Decimal(pt)});
  if (!done) return std::unexpected(std::move(done.error()));
  return {};
}

Expected<void> detach_pt(Device& device) {
  abi::vfio_device_detach_iommufd_pt argument{sizeof argument, 0, 0};
  Expected<int> done = call(device.vm().life.kernel, device.fd(), abi::request::vfio_device_detach_iommufd_pt,
                            &argument, {"VFIO_DEVICE_DETACH_IOMMUFD_PT of device ", device.name()});
  if (!done) return std::unexpected(std::move(done.error()));
  return {};
}

bool has_file(const DmaMapping& mapping) {
  return mapping.block != nullptr && mapping.block->fd >= 0;
}

}  // namespace

Expected<IommufdContainer*> IommufdContainer::attach(Iommufd& iommufd, Device& device) {
  if (iommufd.vm().life.is_incoming()) return find_arrived(iommufd, device);
  for (const auto& container : iommufd.containers) {
    if (!container->attach_to_hwpt(device)) continue;
    container->devices_.push_back(&device);
    return container.get();
  }
  return create(iommufd, device);
}

Expected<IommufdContainer*> IommufdContainer::create(Iommufd& iommufd, Device& device) {
  Expected<std::uint32_t> ioas = iommufd.allocate_ioas();
  if (!ioas) return std::unexpected(std::move(ioas.error()));
  std::unique_ptr<IommufdContainer> container(new IommufdContainer(iommufd, *ioas));
  if (Expected<void> attached = container->attach_to_hwpt(device); !attached) {
    (void)iommufd.destroy(*ioas);
    return std::unexpected(std::move(attached.error()));
  }
  IommufdContainer& made = *iommufd.containers.emplace_back(std::move(container));
  made.devices_.push_back(&device);
  if (Expected<void> started = made.start(); !started) {
    (void)detach(made, device);
    return std::unexpected(std::move(started.error()));
  }
  return &made;
}

/// Fresh, with its first device attached.
Expected<void> IommufdContainer::start() {
  if (Expected<void> checked = iommufd_.check_ioas(ioas_id_); !checked) return checked;
  if (Expected<void> heard = listen(); !heard) return heard;
  return vfio_iommufd_cpr_register_container(iommufd_.vm(), *this);
}

Expected<IommufdContainer*> IommufdContainer::find_arrived(Iommufd& iommufd, Device& device) {
  auto found =
      std::ranges::find_if(iommufd.containers, [&](const auto& each) { return each->ioas_id_ == device.cpr.ioas_id; });
  if (found == iommufd.containers.end()) {
    if (Expected<void> checked = iommufd.check_ioas(device.cpr.ioas_id); !checked)
      return std::unexpected(std::move(checked.error()));
    std::unique_ptr<IommufdContainer> container(new IommufdContainer(iommufd, device.cpr.ioas_id));
    if (Expected<void> registered = vfio_iommufd_cpr_register_container(iommufd.vm(), *container); !registered)
      return std::unexpected(std::move(registered.error()));
    found = iommufd.containers.insert(iommufd.containers.end(), std::move(container));
  }
  IommufdContainer& container = **found;
  container.devices_.push_back(&device);
  if (Expected<void> adopted = container.adopt_hwpt(device); !adopted) {
    (void)drop(container, device);
    return std::unexpected(std::move(adopted.error()));
  }
  return &container;
}

Expected<void> IommufdContainer::adopt_hwpt(Device& device) {
  if (Expected<void> checked = iommufd_.check_device(device.devid); !checked) return checked;
  if (device.cpr.hwpt_id == 0) return {};
  auto found = std::ranges::find(hwpts_, device.cpr.hwpt_id, &Hwpt::id);
  if (found != hwpts_.end()) {
    ++found->devices;
    return {};
  }
  Expected<void> checked = iommufd_.check_hwpt(device.cpr.hwpt_id);
  if (checked) hwpts_.push_back({device.cpr.hwpt_id, 1});
  return checked;
}

/// A mediated device has no page table: it sits in the address space itself. EINVAL of a page table: the device needs
/// another one.
Expected<void> IommufdContainer::attach_to_hwpt(Device& device) {
  if (device.config().mediated) {
    Expected<void> attached = attach_pt(device, ioas_id_);
    if (attached) device.cpr.ioas_id = ioas_id_;
    return attached;
  }
  for (Hwpt& hwpt : hwpts_) {
    Expected<void> attached = attach_pt(device, hwpt.id);
    if (!attached && attached.error().os == os::Errno::einval) continue;
    if (!attached) return attached;
    ++hwpt.devices;
    device.cpr.ioas_id = ioas_id_;
    device.cpr.hwpt_id = hwpt.id;
    return {};
  }
  return attach_to_new_hwpt(device);
}

Expected<void> IommufdContainer::attach_to_new_hwpt(Device& device) {
  if (Expected<void> checked = iommufd_.check_device(device.devid); !checked) return checked;
  Expected<std::uint32_t> hwpt = iommufd_.allocate_hwpt(device.devid, ioas_id_);
  if (!hwpt) return std::unexpected(std::move(hwpt.error()));
  if (Expected<void> attached = attach_pt(device, *hwpt); !attached) {
    (void)iommufd_.destroy(*hwpt);
    return attached;
  }
  hwpts_.push_back({*hwpt, 1});
  device.cpr.ioas_id = ioas_id_;
  device.cpr.hwpt_id = *hwpt;
  return {};
}

Expected<void> IommufdContainer::detach_from_hwpt(Device& device) {
  Expected<void> first;
  const bool may_change = iommufd_.vm().may_change();
  if (may_change) note(first, detach_pt(device));
  auto found = std::ranges::find(hwpts_, device.cpr.hwpt_id, &Hwpt::id);
  if (found == hwpts_.end() || --found->devices != 0) return first;
  if (may_change) note(first, iommufd_.destroy(found->id));
  hwpts_.erase(found);
  return first;
}

Expected<void> IommufdContainer::detach(IommufdContainer& container, Device& device) {
  Expected<void> first = container.detach_from_hwpt(device);
  note(first, drop(container, device));
  return first;
}

/// The device is in no page table (any more); the last one takes the address space along.
Expected<void> IommufdContainer::drop(IommufdContainer& container, const Device& device) {
  Iommufd& iommufd = container.iommufd_;
  std::erase(container.devices_, &device);
  if (!container.devices_.empty()) return {};
  const std::uint32_t ioas = container.ioas_id_;
  iommufd.containers.remove_if([&](const auto& each) { return each.get() == &container; });
  return iommufd.vm().may_change() ? iommufd.destroy(ioas) : Expected<void>();
}

IommufdContainer::~IommufdContainer() {
  vfio_iommufd_cpr_unregister_container(iommufd_.vm(), *this);
  forget();
}

Expected<void> IommufdContainer::take_over_mappings() {
  adopting_ = true;
  Expected<void> heard = listen();
  adopting_ = false;
  return heard;
}

void IommufdContainer::forget_mappings() {
  forget();
}

Expected<bool> IommufdContainer::map(DmaMapping& mapping) {
  mapping.of_file = has_file(mapping);
  if (adopting_) return mapping.of_file;
  if (Expected<void> ours = iommufd_.vm().life.check_ours("mapping for DMA"); !ours)
    return std::unexpected(std::move(ours.error()));
  Expected<void> mapped = mapping.of_file ? iommufd_.map_file(ioas_id_, mapping) : map_private(mapping);
  if (!mapped && mapping.of_file && mapped.error().os == os::Errno::enotty) {
    mapping.of_file = false;  // Linux before 6.14
    mapped = map_private(mapping);
  }
  if (mapped) return true;
  if (mapping.block == nullptr && mapped.error().code != ErrorCode::gone) return false;
  return std::unexpected(std::move(mapped.error()));
}

Expected<void> IommufdContainer::map_private(const DmaMapping& mapping) {
  if (Expected<void> mapped = iommufd_.map_memory(ioas_id_, mapping); !mapped) return mapped;
  Expected<void> blocked = block_cpr();
  if (!blocked) (void)iommufd_.unmap(ioas_id_, mapping);
  return blocked;
}

/// Once the VM may be another's, a mapping stays what it is, in the kernel and in the books (window W19).
Expected<void> IommufdContainer::unmap(const DmaMapping& mapping) {
  if (adopting_) return {};
  if (Expected<void> ours = iommufd_.vm().life.check_ours("unmapping from DMA"); !ours) return ours;
  Expected<void> done = iommufd_.unmap(ioas_id_, mapping);
  if (done && !mapping.of_file && --private_mappings_ == 0) iommufd_.vm().life.blockers.remove(cpr.blocker);
  return done;
}

/// CHANGE_PROCESS refuses an iommufd with a single mapping of private memory.
Expected<void> IommufdContainer::block_cpr() {
  if (private_mappings_ == 0) {
    Error reason{ErrorCode::bad_state, iommufd_.id() + ": memory that is not of a file is mapped for DMA", {}, {}};
    Expected<lifecycle::BlockerId> blocker =
        iommufd_.vm().life.blockers.add(lifecycle::kTransferAndExec, std::move(reason));
    if (!blocker) return std::unexpected(std::move(blocker.error()));
    cpr.blocker = *blocker;
  }
  ++private_mappings_;
  return {};
}

}  // namespace vcpr::vfio
