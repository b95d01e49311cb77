// The guest's memory seen from outside: it is one memfd, whichever process runs the guest.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <sys/types.h>

namespace vcpr::live {

/// Where things lie in it, as the demo's command "map" says.
struct GuestPlaces {
  std::uint32_t counters = 0, heartbeat = 0, stamp = 0, gap = 0, sleeps = 0, fault = 0;
};

class GuestRam {
 public:
  /// Null when that process has no such memfd.
  static std::unique_ptr<GuestRam> of(pid_t process, const GuestPlaces& places);
  ~GuestRam();
  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;

  std::uint32_t counter(std::uint32_t vector) const { return word(places_.counters + vector * 4); }
  std::uint64_t heartbeat() const;
  /// Longest time between two heartbeats since it was forgotten, in cycles of the TSC.
  std::uint64_t gap() const;
  void forget_gap();
  /// TSC of the last heartbeat.
  std::uint64_t last_beat() const;
  void forget_last_beat();
  bool has_faulted() const { return word(places_.fault) != 0; }
  std::span<std::uint8_t> bytes() const { return {base_, size_}; }

 private:
  GuestRam(std::uint8_t* base, std::size_t size, const GuestPlaces& places)
      : base_(base), size_(size), places_(places) {}
  std::uint32_t word(std::uint32_t address) const;
  std::uint64_t long_word(std::uint32_t address) const;
  void clear_long_word(std::uint32_t address);

  std::uint8_t* base_;
  std::size_t size_;
  GuestPlaces places_;
};

}  // namespace vcpr::live
