// ERR and REQ: the device's error, and the host's wish to have the device back.
#pragma once

#include "engine/lifecycle/embedder.hpp"
#include "engine/vfio/pci_device.hpp"

namespace vcpr::vfio {

class Notifier final : public lifecycle::FdHandler {
 public:
  /// `name`: "err_notifier".
  Notifier(PciDevice& device, IrqIndex index, std::string_view name) : device_(device), index_(index), name_(name) {}
  ~Notifier() override { unwatch(); }
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// A fresh eventfd, a handler, and the device told.
  Expected<void> arm();
  /// The eventfd that came, without a handler yet: missing_key, key_in_use.
  Expected<void> claim();
  bool is_on() const { return eventfd_ >= 0; }
  Expected<void> disarm();
  /// As the VM is not ours: the device is not told.
  void abandon();

  void watch();
  void unwatch();
  /// Unwatches, and puts back what was taken since watch(): the other process has to hear of it.
  void give_up();

  void ready(int fd) override;

 private:
  PciDevice& device_;
  IrqIndex index_;
  std::string_view name_;
  int eventfd_ = -1;  ///< borrowed from the table
  bool is_watched_ = false;
  bool has_consumed_ = false;
};

}  // namespace vcpr::vfio
