// What must hold after each call of an attempt, whoever made it: one named function per invariant. Each looks at what
// that call did, as the machine's logs have it, and is asked only when the call did something of the kind it is about.
#pragma once

#include <span>
#include <string_view>

#include "properties/whole_vm/facts.hpp"
#include "properties/whole_vm/verdicts.hpp"

namespace vcpr::whole_vm {

/// How far the machine's logs went.
struct Places {
  explicit Places(const machine::Truth& truth);

  machine::Log<machine::BadDescriptor>::Place bad_descriptors;
  machine::Log<machine::Closing>::Place closings;
  machine::Log<machine::IovaChange>::Place iova_changes;
  machine::Log<machine::DeviceChange>::Place device_changes;
  machine::Log<machine::Injection>::Place injections;
  machine::Log<machine::Delivery>::Place deliveries;
};

/// What a call can do; bits.
enum class Did : std::uint8_t {
  bad_descriptor = 1 << 0,  ///< used one that is not open
  close = 1 << 1,           ///< took the last reference of a file
  map = 1 << 2,             ///< changed an I/O address space
  device = 1 << 3,          ///< reset a device, or changed its command register
  interrupt = 1 << 4,       ///< a VM was asked to take one, or a vCPU got one
  ioctl = 1 << 5,
  vcpus = 1 << 6,     ///< others run than after the call before
  use_file = 1 << 7,  ///< fcntl, read, write and the like, ioctl too: of the descriptor that is the first argument
};

inline bool runs(const Owner* owner) {
  return owner != nullptr && owner->vcpus.running();
}

/// One call of an attempt that is under way.
struct Step {
  Rig& rig;
  const Facts& before;  ///< of the old owner, at the beginning or at the latest change that it meant
  const machine::CallRecord& call;
  const Places& since;  ///< where the logs were before it

  machine::Truth truth() const { return machine::Truth(rig.machine()); }
  /// Facts of the time between two calls (a death, what a device does) have the number of the call before.
  bool is_its(std::uint64_t call_number) const { return call_number == call.site.number; }
  bool is_by_new() const;
  /// Who made it; null: neither side's image of now.
  Owner* caller() const;
  /// An ioctl with this request.
  bool is_request(std::uint64_t request) const;
  /// Who had the VM is dead, so that everything goes.
  bool is_lost() const;
};

Verdict only_one_guest_is_running(const Step& step);              // I35
Verdict every_descriptor_that_is_used_is_open(const Step& step);  // I3, I5
Verdict somebody_holds_every_file(const Step& step);              // I2
Verdict nothing_is_mapped_while_stopped(const Step& step);        // I11, I19
Verdict no_guest_runs_on_invalid_vaddrs(const Step& step);        // I14
Verdict no_page_is_charged_twice(const Step& step);               // I16
Verdict ownership_moves_while_stopped(const Step& step);          // I20, I21
Verdict nothing_is_built_or_torn_down(const Step& step);          // I10, I17
Verdict no_eventfd_has_two_irqfds(const Step& step);              // I25
Verdict irqfds_are_where_the_guest_is(const Step& step);          // I26, I45
Verdict controllers_are_set_before_irqfds(const Step& step);      // I27
Verdict signals_meet_their_route(const Step& step);               // I22, I27
Verdict no_masked_vector_is_delivered(const Step& step);          // I31
Verdict no_trigger_changes(const Step& step);                     // I28
Verdict no_device_is_touched(const Step& step);                   // I33
Verdict nobody_runs_while_incoming(const Step& step);             // I37
Verdict nothing_happens_before_the_checks(const Step& step);      // I41
Verdict who_gave_the_vm_away_only_closes(const Step& step);       // I46

struct SafetyInvariant {
  std::string_view numbers;
  bool always = false;     ///< else: unless what arrived was damaged, or a device came or went
  std::uint8_t after = 0;  ///< bits of Did: asked after a call that did one of these
  std::string_view name;
  Verdict (*check)(const Step& step);
  void (*report)(const Violation& violation);
};
/// All of them, in the order above.
std::span<const SafetyInvariant> safety_invariants();

/// Asks after every call of one attempt what its effects allow to be wrong.
class Watch {
 public:
  /// From here on; `before` may change with every change of the VM that the attempt is to keep.
  Watch(Rig& rig, const Facts& before);
  /// The first of what is wrong after this call.
  Verdict called(const machine::CallRecord& call);
  /// The VM is changed by its guest or management; until the end of it only what always holds is asked.
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  /// Only what always holds is asked from here on.
  void loosen() { loose_ = true; }

 private:
  std::uint8_t what_happened(const machine::CallRecord& call, const Places& now);

  Rig& rig_;
  const Facts& before_;
  Places places_;
  std::uint8_t running_ = 0;  ///< bit 0: old's vCPUs, bit 1: new's
  bool paused_ = false;
  bool loose_ = false;
};

}  // namespace vcpr::whole_vm
