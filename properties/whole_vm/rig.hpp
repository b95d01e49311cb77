// A host with a VM on it, handed from process to process: everything around the engine, under one schedule.
//
// Old and new are stepped in turn; what happens between two calls (an interrupt, a death, a fault) is a list of events.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/handover/source.hpp"
#include "engine/handover/target.hpp"
#include "engine/lifecycle/main_loop.hpp"
#include "properties/whole_vm/guest.hpp"

namespace vcpr::whole_vm {

/// What the embedder heard.
class HeardEvents final : public vfio::DeviceEvents {
 public:
  void device_error(const std::string&) override { ++errors; }
  void unplug_requested(const std::string&) override { ++requests; }
  std::uint32_t errors = 0;
  std::uint32_t requests = 0;
};

/// Takes part in every handover, and counts what it is told.
class Bystander final : public lifecycle::Participant {
 public:
  std::string what() const override { return "bystander"; }
  Expected<void> let_go(lifecycle::Mode) override {
    ++let_go_;
    return {};
  }
  Expected<void> take_back() override {
    ++taken_back_;
    return {};
  }
  void done() override { ++done_; }
  Expected<void> take_over() override {
    ++taken_over_;
    return {};
  }
  std::uint32_t times_let_go() const { return let_go_; }
  std::uint32_t times_taken_back() const { return taken_back_; }
  std::uint32_t times_done() const { return done_; }
  std::uint32_t times_taken_over() const { return taken_over_; }

 private:
  std::uint32_t let_go_ = 0;
  std::uint32_t taken_back_ = 0;
  std::uint32_t done_ = 0;
  std::uint32_t taken_over_ = 0;
};

/// One process image and the VM in it.
struct Owner {
  Owner(machine::Machine& machine, machine::Process& of, Guest& shared_guest)
      : process(of), kernel(of.kernel()), vcpus(machine), loop(kernel), guest(shared_guest) {}
  vm::Embedder embedder() { return {vcpus, loop, heard, &guest}; }
  /// The VM is its; the bystander is told what becomes of it.
  void take(std::unique_ptr<vm::VirtualMachine> made);
  /// It lives, and its guest runs or sleeps.
  bool has_vm() const;

  machine::Process& process;
  os::Kernel& kernel;  ///< of this image
  GuestVcpus vcpus;
  lifecycle::MainLoop loop;
  HeardEvents heard;
  Guest& guest;
  Bystander bystander;
  std::unique_ptr<vm::VirtualMachine> vm;
};

class Rig;

/// Something that happens before one call of a handover.
struct Event {
  std::uint64_t at = 0;  ///< counts the calls of the attempt from 0
  std::function<void(Rig&)> action{};
  machine::FaultPoint fault = machine::FaultPoint::none;  ///< that this call meets, or the next that can
  std::uint32_t times = 1;                                ///< and how many calls from there on
};

struct Attempt {
  lifecycle::Mode mode = lifecycle::Mode::cpr_transfer;
  bool want_answer = true;
  bool stop_first = false;
  std::uint32_t turns = 0;      ///< bit n: in turn n (modulo 32) old steps first (0) or new (1)
  std::vector<Event> events{};  ///< by ascending `at`
};

struct Outcome {
  std::optional<Error> old_error;  ///< why the source failed; none: the VM was given away
  std::optional<Error> new_error;
  bool ended = false;       ///< both sides came to an end
  bool vm_killed = false;   ///< who had the VM, or it alone could get it, was killed by an event
  std::uint64_t calls = 0;  ///< that the attempt made
  handover::RollBack roll_back{};
};

class Rig final : private machine::Schedule {
 public:
  explicit Rig(const Shape& shape);
  ~Rig() override;

  /// The first process's VM, running, its drivers at work.
  Expected<void> boot();
  /// One attempt, to its end. Whoever owns the VM afterwards is owner().
  Outcome hand_over(const Attempt& attempt);
  /// Main loops and guest, until nobody has anything to do.
  void settle();

  /// Whose VM it is: null when both are dead.
  Owner* owner() { return owner_; }
  Guest& guest() { return *guest_; }
  machine::Machine& machine() { return *machine_; }
  const Shape& shape() const { return shape_; }
  const vm::Config& config() const { return config_; }
  /// Number of the call under way, counted from the beginning of the attempt.
  std::uint64_t call() const;
  void kill(Owner& owner);
  /// As an event: the outcome remembers if that may cost the VM.
  void kill_old();
  void kill_new();
  /// Does it when the engine's step under way is over, as a VMM's main loop would; at once when there is none.
  void postpone(std::function<void(Rig&)> action);
  /// The embedder gives an attempt up; after the engine's step.
  void cancel_old();
  void cancel_new();
  /// No event happens and no fault comes meanwhile: for looks at the VM in the midst of an attempt.
  template <class Look>
  auto undisturbed(Look look) {
    const Attempt* attempt = std::exchange(attempt_, nullptr);
    auto seen = look();
    attempt_ = attempt;
    return seen;
  }
  /// Whose vCPUs run: null when none do.
  Owner* running();
  /// Management of a device of the shape: it leaves the VM, or comes back and its driver sets it up.
  Expected<void> unplug(std::uint32_t device);
  Expected<void> plug(std::uint32_t device);
  /// False for one that was unplugged, even when a munmap failed and its process keeps it open until it ends.
  bool is_plugged(std::uint32_t device) const;
  /// Flips bits of the byte at `where`, modulo its size, of the file that an exec or reboot writes the main stream to;
  /// false when there is none, or nothing in it.
  bool damage_file(std::uint64_t where, std::byte flip);
  /// Where both sides of the attempt under way are; none before there is one.
  std::optional<handover::Phase> source_phase() const;
  std::optional<handover::TargetStep> target_step() const;
  /// Nobody but the new process can run the VM any more.
  bool is_given_away() const;
  /// Of the latest attempt; null before the first, and when there never was a new process.
  Owner* old_owner() { return old_; }
  Owner* new_owner() { return new_; }

 private:
  struct Sides;

  machine::FaultPoint before(const machine::CallSite& site) override;
  std::uint64_t calls_at_work(const Owner& owner) const;
  bool run_owner(Owner& owner);
  void begin(const Attempt& attempt, Sides& sides);
  void step_old(Sides& sides);
  void step_new(Sides& sides);
  void start_new_image(Sides& sides);
  Expected<void> build_new(Sides& sides);
  bool is_due(Owner& owner, const std::optional<handover::Advance>& wait);
  bool pass_time(const Sides& sides);
  void conclude(Sides& sides);
  bool step(Sides& sides, int turn);  ///< of both sides, and what else there is to do; false: nothing
  bool do_postponed();
  void reboot(Sides& sides);
  void load_fault(const Event& event);

  struct Armed {
    machine::FaultPoint point{};
    machine::Call call{};
    std::uint32_t times = 0;
  };

  Shape shape_;
  vm::Config config_;  ///< with the devices that are plugged now
  std::unique_ptr<machine::Machine> machine_;
  std::unique_ptr<Guest> guest_;
  std::list<Owner> owners_;
  Owner* owner_ = nullptr;
  Owner* old_ = nullptr;
  Owner* new_ = nullptr;
  const Attempt* attempt_ = nullptr;
  std::size_t next_event_ = 0;
  std::uint64_t first_call_ = 0;
  std::vector<Armed> armed_;
  std::vector<std::function<void(Rig&)>> postponed_;
  Sides* sides_ = nullptr;
};

}  // namespace vcpr::whole_vm
