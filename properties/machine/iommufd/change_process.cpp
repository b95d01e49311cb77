// CHANGE_PROCESS: moves the account of every mapping of a context to the caller (iommufd_ioas_change_process).
#include <array>

#include "properties/machine/iommufd/handlers.hpp"
#include "properties/machine/iommufd/ioas.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::size_t kModes = 3;

/// The next area of any IOAS after `area`; null: the first.
class Areas {
 public:
  explicit Areas(const IommufdContext& iommufd) : object_(iommufd.objects.first()) {}

  IoArea* next() {
    if (area_ != nullptr) area_ = area_->next;
    for (; area_ == nullptr && object_ != nullptr; object_ = object_->next)
      if (object_->kind == ObjectKind::ioas) {
        ioas_ = static_cast<Ioas*>(object_);
        area_ = ioas_->areas;
      }
    return area_;
  }
  /// Of the area that next() gave.
  const Ioas& ioas() const { return *ioas_; }

 private:
  IommufdObject* object_;
  const Ioas* ioas_ = nullptr;
  IoArea* area_ = nullptr;
};

/// need_charge_update.
bool moves(const Switches& switches, const IoPages& pages, const Mm& to) {
  if (pages.mode == AccountMode::none && switches.change_process_forgets_privileged) return false;
  return !(pages.mm == to);
}

/// charge_current: what was charged before an error is given back.
os::Result<void> charge_all(Machine::Impl& machine, const Mm& to, const std::array<std::uint64_t, kModes>& counts) {
  IoPages account;
  account.mm = to;
  for (std::size_t mode = 0; mode < kModes; ++mode) {
    if (counts[mode] == 0) continue;
    account.mode = static_cast<AccountMode>(mode);
    const auto done = charge_pages(machine, account, counts[mode]);
    if (done) continue;
    while (mode-- != 0) {
      account.mode = static_cast<AccountMode>(mode);
      if (counts[mode] != 0) (void)uncharge_pages(machine, account, counts[mode]);
    }
    return done;
  }
  return {};
}

void restore_charged(const IommufdContext& iommufd) {
  Areas areas(iommufd);
  while (const IoArea* area = areas.next()) area->pages->charged = area->pages->pinned;
}

/// Pages that must be charged to `to`, by mode; they count as not charged from here on, so that copies are not counted
/// twice.
std::array<std::uint64_t, kModes> count_pages(const Switches& switches, const IommufdContext& iommufd, const Mm& to) {
  std::array<std::uint64_t, kModes> counts{};
  Areas areas(iommufd);
  while (const IoArea* area = areas.next()) {
    IoPages& pages = *area->pages;
    if (!moves(switches, pages, to)) continue;
    counts[static_cast<std::size_t>(pages.mode)] += pages.charged;
    pages.charged = 0;
  }
  return counts;
}

void record_owner(Machine::Impl& machine, const IommufdContext& iommufd, const Mm& to) {
  Areas areas(iommufd);
  while (const IoArea* area = areas.next())
    if (!(area->pages->mm == to)) record_area(machine, areas.ioas(), *area, IovaChangeKind::owner_changed, to);
}

/// The caller has been charged. An owner that is dead cannot be given anything back: EINVAL, though all is changed.
os::Result<void> hand_over(Machine::Impl& machine, const IommufdContext& iommufd, const Mm& to) {
  os::Result<void> result;
  Areas areas(iommufd);
  while (const IoArea* area = areas.next()) {
    IoPages& pages = *area->pages;
    if (moves(machine.switches, pages, to)) {
      const auto done = uncharge_pages(machine, pages, pages.pinned);
      if (!done && machine.switches.change_process_fails_after_death) result = done;
      if (!done && !machine.switches.change_process_fails_after_death) pages.charged = pages.pinned;
    }
    pages.mm = to;
  }
  return result;
}

}  // namespace

os::Result<void> ioas_change_process(Command& command, abi::iommu_ioas_change_process& argument) {
  if (argument.reserved != 0) return std::unexpected(Errno::eopnotsupp);
  Areas areas(command.iommufd);
  while (const IoArea* area = areas.next())
    if (!area->pages->is_file) return std::unexpected(Errno::einval);
  Context& context = command.context;
  if (context.fires(FaultPoint::ioctl_change_process_enomem)) return std::unexpected(Errno::enomem);
  const Mm to = Mm::of(context.process);
  const auto counts = count_pages(context.machine.switches, command.iommufd, to);
  if (auto done = charge_all(context.machine, to, counts); !done) {
    restore_charged(command.iommufd);
    return done;
  }
  record_owner(context.machine, command.iommufd, to);
  return hand_over(context.machine, command.iommufd, to);
}

}  // namespace vcpr::machine
