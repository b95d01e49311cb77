#include "engine/lifecycle/main_loop.hpp"

#include <algorithm>
#include <cassert>

#include "engine/os/abi.hpp"

namespace vcpr::lifecycle {

namespace abi = os::abi;

void MainLoop::watch(int fd, FdHandler& handler) {
  assert(fd >= 0);
  const auto number = static_cast<std::size_t>(fd);
  if (number >= watches_.size()) watches_.resize(number + 1);
  watches_[number] = {.handler = &handler, .order = next_order_++};
}

void MainLoop::unwatch(int fd) {
  if (find(fd) != nullptr) watches_[static_cast<std::size_t>(fd)] = {};
}

const MainLoop::Watch* MainLoop::find(int fd) const {
  const auto number = static_cast<std::size_t>(fd);
  return fd >= 0 && number < watches_.size() && watches_[number].handler != nullptr ? &watches_[number] : nullptr;
}

void MainLoop::call_at(os::Deadline deadline, TimerHandler& handler) {
  cancel(handler);
  timers_.emplace(TimerKey{deadline, next_order_++}, &handler);
}

void MainLoop::cancel(TimerHandler& handler) {
  std::erase_if(timers_, [&](const auto& each) { return each.second == &handler; });
}

Expected<void> MainLoop::turn(os::Deadline until, int also, std::int16_t also_events) {
  std::vector<os::PollFd> polled = std::move(spare_);  // a handler may take a turn of its own
  polled.clear();
  polled.reserve(watches_.size() + 1);
  for (std::size_t fd = 0; fd < watches_.size(); ++fd) {
    if (watches_[fd].handler != nullptr) polled.push_back({.fd = static_cast<int>(fd), .events = abi::pollin});
  }
  std::size_t watched = polled.size();
  if (also >= 0) polled.push_back({.fd = also, .events = also_events});
  if (!timers_.empty()) until = std::min(until, timers_.begin()->first.first);
  std::uint64_t before = next_order_;
  os::Result<int> found = kernel_.poll(polled, until);
  if (!found && found.error() != os::Errno::eintr) return refuse_os(found.error(), {"poll of the main loop"});
  Expected<void> called;
  if (found && *found > 0) called = call_ready(std::span(polled).first(watched), before);
  call_expired(before);
  spare_ = std::move(polled);
  return called;
}

/// What handlers have watched since `before` was not polled.
Expected<void> MainLoop::call_ready(std::span<const os::PollFd> polled, std::uint64_t before) {
  Expected<void> first;
  for (const os::PollFd& each : polled) {
    if (each.revents == 0) continue;
    if ((each.revents & abi::pollnval) != 0) {
      if (first)
        first = refuse(ErrorCode::bad_descriptor, {"poll of the main loop: ", Decimal(each.fd), " is not open"});
      continue;
    }
    const Watch* watch = find(each.fd);
    if (watch != nullptr && watch->order < before) watch->handler->ready(each.fd);
  }
  return first;
}

void MainLoop::call_expired(std::uint64_t before) {
  if (timers_.empty()) return;
  std::uint64_t now = kernel_.now();
  for (;;) {
    auto due = std::ranges::find_if(timers_, [&](const auto& each) { return each.first.second < before; });
    if (due == timers_.end() || !due->first.first.passed(now)) return;
    TimerHandler* handler = due->second;
    timers_.erase(due);
    handler->expired();
  }
}

}  // namespace vcpr::lifecycle
