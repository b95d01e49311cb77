// The functions of vfio_cpr.hpp for vectors and PCI devices.
#include "engine/vfio/bars.hpp"
#include "engine/vfio/config_space.hpp"
#include "engine/vfio/interrupts.hpp"
#include "engine/vfio/pci_device.hpp"
#include "engine/vfio/vector_entries.hpp"

namespace vcpr::vfio {

namespace {

/// BARs must be where the old process had them before addresses are restored. The routes of all devices are there
/// before the first irqfd, so that KVM gets them as one table.
class ConfigNotifier final : public lifecycle::Participant {
 public:
  explicit ConfigNotifier(PciDevice& device) : device_(device) {}

  std::string what() const override { return "config space of device " + device_.name(); }
  Expected<void> check_loaded() override { return device_.config().check(device_.section.function.config); }
  Expected<void> take_over() override {
    device_.config().adopt(device_.section.function.config);
    device_.bars().hide(device_.interrupts().hides_bars(device_.section));
    if (auto updated = device_.bars().update(); !updated) return updated;
    return device_.interrupts().adopt(device_.section);
  }
  void give_up() override {
    device_.interrupts().give_up();
    device_.bars().remove_all();
  }

 private:
  PciDevice& device_;
};

class TransferNotifier final : public lifecycle::Participant {
 public:
  explicit TransferNotifier(PciDevice& device) : device_(device) {}

  std::string what() const override { return "device " + device_.name(); }
  Expected<void> let_go(lifecycle::Mode) override {
    auto gone = device_.interrupts().let_go();
    if (gone) device_.fill_section();
    return gone;
  }
  Expected<void> take_back() override { return device_.interrupts().take_back(); }
  Expected<void> check_loaded() override { return device_.interrupts().check_loaded(device_.section); }
  Expected<void> take_over() override { return device_.interrupts().take_over(device_.section); }
  void give_up() override { device_.interrupts().give_up(); }

 private:
  PciDevice& device_;
};

}  // namespace

Expected<void> vfio_cpr_save_vector_fd(PciDevice& device, std::string_view name, std::int32_t nr, int fd) {
  lifecycle::Life& life = device.vm().life;
  return life.cpr.descriptors.adopt({VectorEntryName(device, name), nr}, life.kernel, fd);
}

Expected<int> vfio_cpr_load_vector_fd(PciDevice& device, std::string_view name, std::int32_t nr) {
  return device.vm().life.cpr.descriptors.find({VectorEntryName(device, name), nr});
}

void vfio_cpr_delete_vector_fd(PciDevice& device, std::string_view name, std::int32_t nr) {
  (void)device.vm().life.cpr.descriptors.remove({VectorEntryName(device, name), nr});
}

Expected<void> vfio_cpr_pci_register_device(PciDevice& device) {
  lifecycle::Life& life = device.vm().life;
  if (auto added = life.sections.add(device.section_name(), 0, vfio_cpr_pci_vmstate, device.section); !added) {
    return added;
  }
  device.cpr.config_notifier = std::make_unique<ConfigNotifier>(device);
  device.cpr.transfer_notifier = std::make_unique<TransferNotifier>(device);
  life.participants.add(*device.cpr.config_notifier, lifecycle::Rank::memory_map, lifecycle::kTransferAndExec);
  life.participants.add(*device.cpr.transfer_notifier, lifecycle::Rank::devices, lifecycle::kTransferAndExec);
  return {};
}

void vfio_cpr_pci_unregister_device(PciDevice& device) {
  if (!device.cpr.transfer_notifier) return;
  lifecycle::Life& life = device.vm().life;
  life.participants.remove(*device.cpr.transfer_notifier);
  life.participants.remove(*device.cpr.config_notifier);
  device.cpr.transfer_notifier.reset();
  device.cpr.config_notifier.reset();
  // Refused only when the section is not there, which is what is wanted.
  (void)life.sections.remove(device.section_name(), 0);
}

}  // namespace vcpr::vfio
