// A mapping of the caller's memory, for IOAS_MAP and for MAP_DMA on an iommufd.
#pragma once

#include "properties/machine/iommufd/ioas.hpp"
#include "properties/machine/iommufd/iommufd.hpp"

namespace vcpr::machine {

/// iopt_map_user_pages: the iova. EOVERFLOW, EINVAL, then as map_parts().
os::Result<std::uint64_t> map_user_pages(Context& context, const IommufdContext& iommufd, Ioas& ioas,
                                         std::uint64_t address, const MapWish& wish);

}  // namespace vcpr::machine
