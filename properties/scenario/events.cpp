#include "properties/scenario/events.hpp"

#include <algorithm>

namespace vcpr::scenario {

namespace {

/// Whether a call can change what the invariants between two calls look at.
bool touches_descriptors(machine::Call call) {
  switch (call) {
    case machine::Call::close:
    case machine::Call::fcntl:
    case machine::Call::read:
    case machine::Call::write:
    case machine::Call::lseek:
    case machine::Call::execve:
      return true;
    default:
      return false;
  }
}

}  // namespace

Events::Events(Play& play) : play_(play) {
  play_.machine.set_schedule(this);
  play_.machine.set_listener(this);
}

Events::~Events() {
  play_.machine.set_schedule(nullptr);
  play_.machine.set_listener(nullptr);
}

void Events::begin(std::uint8_t handover, Stage& stage) {
  old_image_ = play_.old_process->image();
  handover_ = handover;
  stage_ = &stage;
  first_call_ = play_.machine.calls();
  armed_.clear();
  const std::vector<Event>& events = play_.scenario.events;
  while (next_ < events.size() && events[next_].handover < handover) ++next_;
  disturbed_ = next_ < events.size() && events[next_].handover == handover;
}

void Events::finish() {
  stage_ = nullptr;
  armed_.clear();
}

machine::FaultPoint Events::before(const machine::CallSite& site) {
  if (stage_ == nullptr) return machine::FaultPoint::none;
  const std::vector<Event>& events = play_.scenario.events;
  while (next_ < events.size() && events[next_].handover == handover_ &&
         events[next_].call <= site.number - first_call_) {
    happen(events[next_++], site);
  }
  auto armed = std::ranges::find(armed_, site.call, &Armed::call);
  return armed == armed_.end() ? machine::FaultPoint::none : armed->point;
}

void Events::happen(const Event& event, const machine::CallSite& site) {
  if (play_.listened()) play_.tell("event", name(event.action));
  if (event.action == Action::fault) {
    auto point = static_cast<machine::FaultPoint>(event.operand);
    armed_.push_back({point, machine::fault_table()[event.operand - 1].call, event.times});
  } else if (event.action == Action::advance) {
    play_.machine.advance_time(std::uint64_t{event.operand} * 1000);
  } else {
    stage_->act(event, site);
  }
}

void Events::called(const machine::CallRecord& record) {
  if (play_.listened()) {
    bool is_old = record.site.process == play_.old_process && record.image == old_image_;
    std::string_view who = is_old ? "old" : "new";
    play_.tell(who, machine::format(record));
  }
  if (record.fired != machine::FaultPoint::none) {
    auto armed = std::ranges::find(armed_, record.fired, &Armed::point);
    if (armed != armed_.end() && --armed->times == 0) armed_.erase(armed);
  }
  if (stage_ != nullptr && touches_descriptors(record.site.call)) play_.check_call();
}

}  // namespace vcpr::scenario
