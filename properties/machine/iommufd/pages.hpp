// What a mapping of an IOAS maps: pages of an mm or of a file, which are pinned and charged once however many areas
// show them (drivers/iommu/iommufd/pages.c).
#pragma once

#include <cstdint>

#include "properties/machine/mm_account.hpp"
#include "properties/machine/pins.hpp"

namespace vcpr::machine {

struct Context;
struct IoArea;

/// Who is charged for the pages beyond VmPin, which always counts them.
enum class AccountMode : std::uint8_t {
  none,  ///< nobody: CAP_IPC_LOCK
  user,  ///< the user, against RLIMIT_MEMLOCK of the process
  mm     ///< VmLck
};

/// struct iopt_pages. Shared by an area and its copies; goes with the last of them.
struct IoPages {
  std::uint32_t references = 0;
  bool is_file = false;
  bool writable = false;
  AccountMode mode{};
  std::uint64_t start = 0;         ///< address of the first page, or its offset in the file
  std::uint64_t count = 0;         ///< pages
  Memory* file = nullptr;          ///< held; null for a file without pages of its own
  Mm mm;                           ///< whose address, and whose account
  std::uint64_t pinned = 0;        ///< pages
  std::uint64_t charged = 0;       ///< pages, as of the last change of the account
  IoArea* pinned_areas = nullptr;  ///< linked by next_pinned
};

/// struct iopt_area: [iova, last] shows the pages from first_page to last_page.
struct IoArea {
  std::uint64_t iova = 0;
  std::uint64_t last = 0;
  IoPages* pages = nullptr;  ///< holds a reference
  std::uint64_t first_page = 0;
  std::uint64_t last_page = 0;
  std::uint64_t page_offset = 0;  ///< of `iova` in the first page, bytes
  bool readable = false;
  bool writable = false;
  bool is_pinned = false;
  Pins pins;  ///< of all its pages, while is_pinned
  IoArea* next = nullptr;
  IoArea* next_pinned = nullptr;
};

/// What the caller maps, with its mm and its rights (iopt_alloc_pages). `per_mm`: RLIMIT_MODE 1. One reference.
IoPages& make_user_pages(Context& context, bool per_mm, std::uint64_t address, std::uint64_t length, bool writable);
IoPages& make_file_pages(Context& context, bool per_mm, Memory* file, std::uint64_t start, std::uint64_t length,
                         bool writable);
void release_pages(Machine::Impl& machine, IoPages& pages);

/// Pins and charges what no other area has pinned (iopt_area_fill_domain): EFAULT, EINVAL, ENOMEM. Nothing changes
/// then.
os::Result<void> pin_area(Machine::Impl& machine, IoArea& area);
void unpin_area(Machine::Impl& machine, IoArea& area);

/// iopt_pages_update_pinned, up: ENOMEM beyond RLIMIT_MEMLOCK.
os::Result<void> charge_pages(Machine::Impl& machine, IoPages& pages, std::uint64_t count);
/// Down: EINVAL when the mm that VmLck belongs to is dead.
os::Result<void> uncharge_pages(Machine::Impl& machine, IoPages& pages, std::uint64_t count);

}  // namespace vcpr::machine
