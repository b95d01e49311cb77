#include "engine/vfio/interrupts.hpp"

#include <algorithm>

#include "engine/vfio/config_space.hpp"
#include "engine/vfio/vector_entries.hpp"

namespace vcpr::vfio {

namespace {

void note(Expected<void>& first, Expected<void> result) {
  if (first && !result) first = std::move(result);
}

std::uint32_t loaded_control(const vmstate::VfioCprPci& section, std::uint32_t capability) {
  return pci::get(section.function.config, capability + 2, 2);
}

}  // namespace

Interrupts::Interrupts(PciDevice& device) : device_(device), intx_(device) {
  const ConfigSpace& config = device.config();
  if (config.msix()) msix_.emplace(device, config.msix()->vectors);
  if (config.msi()) msi_.emplace(device, config.msi()->vectors);
  if (device.device().irq(IrqIndex::err).count != 0) error_.emplace(device, IrqIndex::err, "err_notifier");
  if (device.options().request_notifier && device.device().irq(IrqIndex::req).count != 0) {
    request_.emplace(device, IrqIndex::req, "req_notifier");
  }
}

/// Only who owns the VM may tell the device; the others close what they have.
Interrupts::~Interrupts() {
  const bool is_ours = device_.vm().life.check_ours("").has_value();
  if (is_ours) {
    (void)stop();
    if (error_) (void)error_->disarm();
    if (request_) (void)request_->disarm();
    return;
  }
  if (msix_) msix_->abandon();
  if (msi_) msi_->abandon();
  intx_.abandon();
  if (error_) error_->abandon();
  if (request_) request_->abandon();
  if (device_.vm().life.is_incoming()) drop_vector_entries(device_, max_vectors());
}

std::uint32_t Interrupts::max_vectors() const {
  return std::max(msix_ ? msix_->count() : 0, msi_ ? msi_->count() : 0);
}

Expected<void> Interrupts::start() {
  if (auto enabled = update(); !enabled) return enabled;
  if (error_) {
    if (auto armed = error_->arm(); !armed) return armed;
  }
  return request_ ? request_->arm() : Expected<void>();
}

Expected<void> Interrupts::claim() {
  if (error_) {
    if (auto claimed = error_->claim(); !claimed) return claimed;
  }
  if (request_) {
    if (auto claimed = request_->claim(); !claimed) return claimed;
  }
  return claim_vector_entries(device_, max_vectors());
}

Interrupts::Kind Interrupts::wanted() const {
  if (device_.config().is_msix_enabled()) return Kind::msix;
  if (device_.config().is_msi_enabled()) return Kind::msi;
  return intx_.exists() ? Kind::intx : Kind::none;
}

Expected<void> Interrupts::enable(Kind kind) {
  switch (kind) {
    case Kind::msix:
      return msix_->enable();
    case Kind::msi:
      return msi_->enable();
    case Kind::intx:
      return intx_.enable();
    case Kind::none:
      break;
  }
  return {};
}

Expected<void> Interrupts::update() {
  const Kind kind = wanted();
  if (kind == kind_) {
    if (kind == Kind::msix) return msix_->update_all();
    return kind == Kind::msi ? msi_->update() : Expected<void>();
  }
  if (auto off = stop(); !off) return off;
  auto enabled = enable(kind);
  if (enabled) kind_ = kind;
  return enabled;
}

Expected<void> Interrupts::stop() {
  Expected<void> first;
  if (kind_ == Kind::msix) note(first, msix_->disable());
  if (kind_ == Kind::msi) note(first, msi_->disable());
  if (kind_ == Kind::intx) note(first, intx_.disable());
  kind_ = Kind::none;
  return first;
}

Expected<void> Interrupts::check_enabled() const {
  if (wanted() == kind_) return {};
  return refuse(ErrorCode::bad_state, {"the guest's registers enable interrupts that the host refused"});
}

Expected<void> Interrupts::let_go() {
  if (auto enabled = check_enabled(); !enabled) return enabled;
  if (error_) error_->unwatch();
  if (request_) request_->unwatch();
  if (msix_) {
    if (auto gone = msix_->let_go(); !gone) return gone;
  }
  if (msi_) {
    if (auto gone = msi_->let_go(); !gone) return gone;
  }
  return intx_.let_go();
}

Expected<void> Interrupts::take_back() {
  Expected<void> first;
  if (msix_) note(first, msix_->take_back());
  if (msi_) note(first, msi_->take_back());
  note(first, intx_.take_back());
  if (error_) error_->watch();
  if (request_) request_->watch();
  return first;
}

Expected<void> Interrupts::check_loaded(const vmstate::VfioCprPci& section) const {
  const std::uint32_t msix_control = msix_ ? loaded_control(section, device_.config().msix()->offset) : 0;
  const std::uint32_t msi_control = msi_ ? loaded_control(section, device_.config().msi()->offset) : 0;
  const bool has_msix = (msix_control & pci::kMsixEnable) != 0;
  const bool has_msi = !has_msix && (msi_control & pci::kMsiEnable) != 0;
  if (msix_) {
    const bool all_masked = (msix_control & pci::kMsixMaskAll) != 0;
    if (auto good = msix_->check_loaded(section, has_msix, all_masked); !good) return good;
  }
  if (has_msi) {
    if (auto good = msi_->check_loaded(1U << ((msi_control & pci::kMsiVectorsEnabled) >> 4)); !good) return good;
  }
  if (!has_msix && !has_msi) {
    if (auto none = check_no_vector_entries(device_, 0); !none) return none;
  }
  return intx_.check_loaded(section, intx_.exists() && !has_msix && !has_msi);
}

Expected<void> Interrupts::adopt(const vmstate::VfioCprPci& section) {
  kind_ = wanted();
  intx_.adopt_route(section.intx);
  if (msix_) msix_->adopt_table(section);
  if (kind_ == Kind::msix) return msix_->adopt();
  return kind_ == Kind::msi ? msi_->adopt() : Expected<void>();
}

Expected<void> Interrupts::take_over(const vmstate::VfioCprPci& section) {
  if (kvm::Vm* kvm = device_.vm().kvm; kvm != nullptr) {
    if (auto committed = kvm->commit_routes(); !committed) return committed;
  }
  if (error_) error_->watch();
  if (request_) request_->watch();
  if (kind_ == Kind::msix) return msix_->take_over();
  if (kind_ == Kind::msi) return msi_->take_over();
  return kind_ == Kind::intx ? intx_.take_over(section.intx) : Expected<void>();
}

void Interrupts::give_up() {
  if (msix_) msix_->give_up();
  if (msi_) msi_->give_up();
  intx_.give_up();
  if (error_) error_->give_up();
  if (request_) request_->give_up();
  kind_ = Kind::none;
}

void Interrupts::fill(vmstate::VfioCprPci& section) const {
  if (msix_) section.function.msix = msix_->bytes();
  intx_.fill(section);
}

}  // namespace vcpr::vfio
