// Where in an IOAS a mapping may go (iopt_check_iova, iopt_alloc_iova).
#pragma once

#include <cstdint>

#include "properties/machine/iommufd/ioas.hpp"

namespace vcpr::machine {

/// The iova itself: EINVAL unaligned or reserved, EOVERFLOW, EEXIST.
os::Result<std::uint64_t> check_iova(const Ioas& ioas, std::uint64_t iova, std::uint64_t length);
/// The lowest place within what is allowed, aligned as `address` and length let it be; never 0. EOVERFLOW for half of
/// the address space or more, EINVAL when the alignment of the IOAS cannot be met, ENOSPC.
os::Result<std::uint64_t> choose_iova(const Ioas& ioas, std::uint64_t address, std::uint64_t length);

}  // namespace vcpr::machine
