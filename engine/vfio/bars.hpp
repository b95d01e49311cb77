// The memory BARs of a device: mapped into this process, and as ranges of the guest's addresses while it decodes them.
//
// The page of the MSI-X table is never mapped for the guest: its accesses are trapped. A BAR smaller than a page is a
// range only where the guest has placed it at the beginning of one, as the whole page goes with it.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "engine/memory/address_map.hpp"
#include "engine/vfio/pci_registers.hpp"

namespace vcpr::vfio {

class PciDevice;

class Bars {
 public:
  /// os_error of mmap; nothing is mapped then.
  static Expected<std::unique_ptr<Bars>> map(PciDevice& device);
  ~Bars();
  Bars(const Bars&) = delete;
  Bars& operator=(const Bars&) = delete;

  /// Brings the address map in line with config space; a range that overlaps another's is passed over. Goes on after
  /// errors of listeners; the first one.
  Expected<void> update();
  /// While hidden there are no ranges, so that every access is trapped; in force with the next update().
  void hide(bool hidden) { is_hidden_ = hidden; }
  /// Takes all ranges out again, whatever config space says.
  void remove_all();

 private:
  struct Mapping {
    os::UserAddr host;
    std::uint64_t size = 0;  ///< whole pages; 0: not mapped
  };
  struct Range {
    std::uint64_t size = 0;
    os::UserAddr host;
    bool operator==(const Range&) const = default;
  };
  using Ranges = std::map<std::uint64_t, Range>;  ///< by guest address

  explicit Bars(PciDevice& device) : device_(device) {}
  Expected<void> map_bar(std::uint32_t bar);
  Ranges wanted() const;
  void add_wanted(Ranges& ranges, std::uint32_t bar, std::uint64_t address) const;
  void add_piece(Ranges& ranges, std::uint32_t bar, std::uint64_t address, std::uint64_t first,
                 std::uint64_t end) const;

  PciDevice& device_;
  std::array<Mapping, pci::kBars> mappings_{};
  Ranges ranges_;  ///< that the address map has from here
  bool is_hidden_ = false;
};

}  // namespace vcpr::vfio
