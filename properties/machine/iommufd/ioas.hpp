// An I/O address space: areas, what is reserved and allowed, and the domains that are filled with its areas
// (drivers/iommu/iommufd/io_pagetable.c).
#pragma once

#include <cstdint>
#include <optional>

#include "properties/machine/iommufd/object.hpp"
#include "properties/machine/iommufd/pages.hpp"

namespace vcpr::machine {

enum class IovaChangeKind : std::uint8_t;
struct Hwpt;

/// [start, last]; in lists by start.
struct IovaRange {
  std::uint64_t start = 0;
  std::uint64_t last = 0;
  const void* owner = nullptr;  ///< of a reserved one: the domain or device it comes from
  IovaRange* next = nullptr;
};

struct Ioas : IommufdObject {
  explicit Ioas(std::uint32_t space) : IommufdObject(ObjectKind::ioas), number(space) {}

  std::uint32_t number;            ///< among the machine's I/O address spaces, for the truth
  IoArea* areas = nullptr;         ///< disjoint, by iova
  IovaRange* reserved = nullptr;   ///< may overlap each other
  IovaRange* allowed = nullptr;    ///< disjoint; empty: everything
  std::uint64_t alignment = 1;     ///< bytes, of iova, length and offset in the page
  std::uint32_t domain_count = 0;  ///< above 0 all areas are pinned
  bool large_pages = true;
  Hwpt* hwpts = nullptr;  ///< in the order they were made, linked by next_in_ioas
};

/// One piece of pages to be mapped; holds a reference until an area takes it over.
struct MapPart {
  IoPages* pages = nullptr;
  std::uint64_t start_byte = 0;  ///< from the first page on
  std::uint64_t length = 0;      ///< bytes
  MapPart* next = nullptr;
};

/// What a mapping asks for.
struct MapWish {
  std::optional<std::uint64_t> iova;  ///< none: the kernel chooses
  std::uint64_t length = 0;
  bool readable = false;
  bool writable = false;
};

/// The first area or range that touches [start, last].
IoArea* find_area(const Ioas& ioas, std::uint64_t start, std::uint64_t last);
IovaRange* find_range(IovaRange* ranges, std::uint64_t start, std::uint64_t last);
void insert_range(Machine::Impl& machine, IovaRange*& ranges, const IovaRange& range);
void clear_ranges(Machine::Impl& machine, IovaRange*& ranges);

/// iopt_map_pages: where the parts are now, next to each other. Errors leave nothing, and the parts to the caller.
os::Result<std::uint64_t> map_parts(Machine::Impl& machine, Ioas& ioas, MapPart* parts, const MapWish& wish);
/// iopt_unmap_iova_range: adds to `unmapped` what is gone, which counts even when ENOENT follows.
os::Result<void> unmap_range(Machine::Impl& machine, Ioas& ioas, std::uint64_t start, std::uint64_t last,
                             std::uint64_t& unmapped);
/// iopt_unmap_all: no range cuts an area here.
void unmap_all(Machine::Impl& machine, Ioas& ioas, std::uint64_t& unmapped);

/// EADDRINUSE on an area or an allowed range.
os::Result<void> reserve_range(Machine::Impl& machine, Ioas& ioas, const IovaRange& range);
void unreserve(Machine::Impl& machine, Ioas& ioas, const void* owner);
/// iopt_table_add_domain: reserves what the domain cannot reach, pins all areas for the first one. EADDRINUSE, EFAULT,
/// EINVAL, ENOMEM, with nothing changed.
os::Result<void> add_domain(Machine::Impl& machine, Ioas& ioas, const Hwpt& domain);
void remove_domain(Machine::Impl& machine, Ioas& ioas, const Hwpt& domain);
/// iopt_disable_large_pages: EINVAL with a domain and areas, EADDRINUSE with a misaligned area.
os::Result<void> disable_large_pages(Ioas& ioas);
void enable_large_pages(Ioas& ioas);

/// For the truth: what becomes of an area. `owner` is charged from here on.
void record_area(Machine::Impl& machine, const Ioas& ioas, const IoArea& area, IovaChangeKind kind, const Mm& owner);

/// Unmaps everything and forgets the ranges.
void empty_ioas(Machine::Impl& machine, Ioas& ioas);

}  // namespace vcpr::machine
