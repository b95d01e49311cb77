#include "engine/vfio/notifiers.hpp"

#include "engine/vfio/vector.hpp"
#include "engine/vfio/vector_entries.hpp"

namespace vcpr::vfio {

Expected<void> Notifier::arm() {
  auto eventfd = make_vector_eventfd(device_, name_, 0);
  if (!eventfd) return std::unexpected(std::move(eventfd.error()));
  eventfd_ = *eventfd;
  auto armed = device_.device().set_triggers(index_, 0, {&*eventfd, 1});
  if (!armed) {
    abandon();
    return armed;
  }
  watch();
  return {};
}

Expected<void> Notifier::claim() {
  auto claimed = device_.vm().life.cpr.descriptors.claim({VectorEntryName(device_, name_), 0});
  if (!claimed) return std::unexpected(std::move(claimed.error()));
  eventfd_ = *claimed;
  return {};
}

Expected<void> Notifier::disarm() {
  if (!is_on()) return {};
  constexpr std::array<std::int32_t, 1> kNone{-1};
  auto disarmed = device_.device().set_triggers(index_, 0, kNone);
  abandon();
  return disarmed;
}

void Notifier::abandon() {
  if (!is_on()) return;
  unwatch();
  eventfd_ = -1;
  vfio_cpr_delete_vector_fd(device_, name_, 0);
}

void Notifier::watch() {
  if (!is_on() || is_watched_) return;
  device_.vm().life.loop.watch(eventfd_, *this);
  is_watched_ = true;
  has_consumed_ = false;
}

void Notifier::unwatch() {
  if (!is_watched_) return;
  device_.vm().life.loop.unwatch(eventfd_);
  is_watched_ = false;
}

void Notifier::give_up() {
  if (is_watched_ && has_consumed_) signal_eventfd(device_.vm().life.kernel, eventfd_);
  unwatch();
}

void Notifier::ready(int fd) {
  if (read_eventfd(device_.vm().life.kernel, fd) == 0) return;
  has_consumed_ = true;
  if (index_ == IrqIndex::err) {
    device_.events().device_error(device_.name());
  } else {
    device_.events().unplug_requested(device_.name());
  }
}

}  // namespace vcpr::vfio
