#include "properties/machine/iommu.hpp"

#include <algorithm>

#include "properties/machine/pins.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

namespace {

/// Goes page by page; `move` transfers one piece, false when it cannot.
template <class Move>
bool transfer(Machine::Impl& machine, VfioDevice& device, std::uint64_t iova, std::size_t bytes, bool write,
              Move move) {
  for (std::size_t done = 0; done < bytes;) {
    const std::uint64_t inside = iova % kPageBytes;
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes - done, kPageBytes - inside));
    const DmaDomain* domain = device.group.domain;
    const auto place = domain != nullptr ? domain->translate(iova, write) : std::nullopt;
    DmaAccess access{machine.current_call, device.number, write, iova, piece};
    access.done = place.has_value() && move(*place, inside, done, piece);
    if (place) {
      access.memory = place->memory->inode();
      access.page = place->index;
    }
    machine.dma.append(machine.arena, access);
    if (!access.done) return false;
    done += piece;
    iova += piece;
  }
  return true;
}

}  // namespace

IommuGroup* find_group(Machine::Impl& machine, std::uint32_t number) {
  for (IommuGroup* each = machine.groups; each != nullptr; each = each->next)
    if (each->number == number) return each;
  return nullptr;
}

void record_change(Machine::Impl& machine, IovaChange change, const Pins& pins) {
  if (pins.runs == nullptr) return machine.iova_changes.append(machine.arena, change);
  const std::uint64_t end = change.iova + change.size;
  for (const PinnedRun* run = pins.runs; run != nullptr; run = run->next) {
    change.size = std::min(run->pages * kPageBytes, end - change.iova);
    change.memory = run->memory->inode();
    change.page = run->first;
    machine.iova_changes.append(machine.arena, change);
    change.iova += change.size;
    if (change.vaddr != 0) change.vaddr += change.size;
  }
}

bool dma_read(Machine::Impl& machine, VfioDevice& device, std::uint64_t iova, std::span<std::byte> bytes) {
  return transfer(machine, device, iova, bytes.size(), false,
                  [&](const PagePlace& place, std::uint64_t inside, std::size_t done, std::size_t piece) {
                    read_page(place, inside, bytes.subspan(done, piece));
                    return true;
                  });
}

bool dma_write(Machine::Impl& machine, VfioDevice& device, std::uint64_t iova, std::span<const std::byte> bytes) {
  return transfer(machine, device, iova, bytes.size(), true,
                  [&](const PagePlace& place, std::uint64_t inside, std::size_t done, std::size_t piece) {
                    return write_page(machine, place, inside, bytes.subspan(done, piece));
                  });
}

}  // namespace vcpr::machine
