// The events of a scenario as the machine's schedule: what happens between two calls of an attempt.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "properties/machine/machine.hpp"
#include "properties/scenario/play.hpp"

namespace vcpr::scenario {

/// What an attempt lets events do to it. Called at a call boundary of the process that is being stepped.
class Stage {
 public:
  virtual ~Stage() = default;
  /// Everything that neither a fault nor time is.
  virtual void act(const Event& event, const machine::CallSite& site) = 0;
};

class Events final : public machine::Schedule, public machine::Listener {
 public:
  explicit Events(Play& play);
  ~Events() override;

  /// From now on calls belong to this attempt; faults that nobody met are forgotten.
  void begin(std::uint8_t handover, Stage& stage);
  /// From now on calls belong to none.
  void finish();
  /// Calls since begin.
  std::uint64_t calls() const { return play_.machine.calls() - first_call_; }
  /// Something that was not plain happened, or may have, in this attempt.
  bool disturbed() const { return disturbed_; }

  machine::FaultPoint before(const machine::CallSite& site) override;
  void called(const machine::CallRecord& record) override;

 private:
  struct Armed {
    machine::FaultPoint point;
    machine::Call call;
    std::uint32_t times;
  };
  void happen(const Event& event, const machine::CallSite& site);

  Play& play_;
  Stage* stage_ = nullptr;
  std::uint32_t old_image_ = 0;  ///< after execve the same process is new
  std::uint64_t first_call_ = 0;
  std::size_t next_ = 0;
  std::uint8_t handover_ = 0;
  bool disturbed_ = false;
  std::vector<Armed> armed_;
};

}  // namespace vcpr::scenario
