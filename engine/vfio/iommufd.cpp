#include "engine/vfio/iommufd.hpp"

#include <algorithm>

#include "engine/os/abi.hpp"
#include "engine/os/abi/iommufd.hpp"
#include "engine/store/descriptor_link.hpp"
#include "engine/vfio/ioctl.hpp"
#include "engine/vfio/iommufd_container.hpp"

namespace vcpr::vfio {

namespace abi = os::abi;

namespace {

constexpr const char* kPath = "/dev/iommu";

std::uint32_t flags_of(const DmaMapping& mapping) {
  const std::uint32_t flags = abi::iommu_ioas_map_fixed_iova | abi::iommu_ioas_map_readable;
  return mapping.read_only ? flags : flags | abi::iommu_ioas_map_writeable;
}

Expected<void> without_value(Expected<int> result) {
  if (!result) return std::unexpected(std::move(result.error()));
  return {};
}

}  // namespace

Expected<Iommufd*> Iommufd::connect(Vm& vm, std::string_view id) {
  auto found = std::ranges::find_if(vm.iommufds, [&](const auto& each) { return each->id_ == id; });
  if (found != vm.iommufds.end()) {
    ++(*found)->users_;
    return found->get();
  }
  std::unique_ptr<Iommufd> iommufd(new Iommufd(vm, id));
  if (Expected<void> opened = iommufd->open(); !opened) return std::unexpected(std::move(opened.error()));
  iommufd->users_ = 1;
  return vm.iommufds.emplace_back(std::move(iommufd)).get();
}

Expected<void> Iommufd::disconnect(Iommufd& iommufd) {
  if (--iommufd.users_ != 0) return {};
  iommufd.vm_.iommufds.remove_if([&](const auto& each) { return each.get() == &iommufd; });
  return {};
}

Iommufd::~Iommufd() {
  vfio_iommufd_cpr_unregister_iommufd(vm_, *this);
  if (fd_ >= 0) (void)vm_.life.cpr.descriptors.remove({id_, 0});
}

Expected<void> Iommufd::open() {
  if (Expected<void> found = find_descriptor(); !found) return found;
  return vfio_iommufd_cpr_register_iommufd(vm_, *this);
}

Expected<void> Iommufd::find_descriptor() {
  store::DescriptorTable& table = vm_.life.cpr.descriptors;
  const store::Key key{id_, 0};
  if (!vm_.life.is_incoming()) {
    os::Result<int> opened = vm_.life.kernel.open(kPath, abi::o_rdwr | abi::o_cloexec);
    if (!opened) return refuse_os(opened.error(), {"open ", kPath});
    Expected<void> saved = table.save(key, os::Fd(vm_.life.kernel, *opened));
    if (saved) fd_ = *opened;
    return saved;
  }
  Expected<int> claimed = table.claim(key);
  if (!claimed) return std::unexpected(std::move(claimed.error()));
  fd_ = *claimed;
  Expected<store::DescriptorLink> link = store::DescriptorLink::of(vm_.life.kernel, fd_);
  if (!link) return std::unexpected(std::move(link.error()));
  if (link->text() == kPath) return {};
  return refuse(ErrorCode::wrong_kind, {store::describe(key), ": is ", quoted(link->text()), ", not ", kPath});
}

Expected<int> Iommufd::request(std::uint64_t request, void* argument, std::initializer_list<std::string_view> what) {
  return call(vm_.life.kernel, fd_, request, argument, what);
}

Expected<std::uint32_t> Iommufd::allocate_ioas() {
  abi::iommu_ioas_alloc argument{sizeof argument, 0, 0};
  Expected<int> done = request(abi::request::iommu_ioas_alloc, &argument, {"IOMMU_IOAS_ALLOC of ", id_});
  if (!done) return std::unexpected(std::move(done.error()));
  return argument.out_ioas_id;
}

Expected<std::uint32_t> Iommufd::allocate_hwpt(std::int32_t device, std::uint32_t ioas) {
  abi::iommu_hwpt_alloc argument;
  argument.size = sizeof argument;
  argument.dev_id = static_cast<std::uint32_t>(device);
  argument.pt_id = ioas;
  Expected<int> done = request(abi::request::iommu_hwpt_alloc, &argument, {"IOMMU_HWPT_ALLOC of ", id_});
  if (!done) return std::unexpected(std::move(done.error()));
  return argument.out_hwpt_id;
}

Expected<void> Iommufd::destroy(std::uint32_t object) {
  abi::iommu_destroy argument{sizeof argument, object};
  return without_value(
      request(abi::request::iommu_destroy, &argument, {"IOMMU_DESTROY of object ", Decimal(object), " of ", id_}));
}

/// ENOENT is the one answer that tells of an object that is not there; others come after it was found.
Expected<void> Iommufd::check_object(Expected<int> answer, std::string_view kind, std::uint32_t object) {
  if (answer || answer.error().code == ErrorCode::gone) return without_value(std::move(answer));
  if (answer.error().os != os::Errno::enoent) return {};
  return refuse(ErrorCode::missing_key, {id_, " has no ", kind, " ", Decimal(object)});
}

/// EMSGSIZE: there are more ranges than the room for none.
Expected<void> Iommufd::check_ioas(std::uint32_t ioas) {
  abi::iommu_ioas_iova_ranges argument;
  argument.size = sizeof argument;
  argument.ioas_id = ioas;
  return check_object(request(abi::request::iommu_ioas_iova_ranges, &argument, {"IOMMU_IOAS_IOVA_RANGES of ", id_}),
                      "IOAS", ioas);
}

Expected<void> Iommufd::check_device(std::int32_t device) {
  abi::iommu_hw_info argument;
  argument.size = sizeof argument;
  argument.dev_id = static_cast<std::uint32_t>(device);
  return check_object(request(abi::request::iommu_get_hw_info, &argument, {"IOMMU_GET_HW_INFO of ", id_}), "device",
                      argument.dev_id);
}

/// A bitmap of no page: refused by a HWPT that is there, whether it tracks dirty pages or not
/// (iommufd_hwpt_get_dirty_bitmap).
Expected<void> Iommufd::check_hwpt(std::uint32_t hwpt) {
  abi::iommu_hwpt_get_dirty_bitmap argument;
  argument.size = sizeof argument;
  argument.hwpt_id = hwpt;
  argument.flags = abi::iommu_hwpt_get_dirty_bitmap_no_clear;
  return check_object(
      request(abi::request::iommu_hwpt_get_dirty_bitmap, &argument, {"IOMMU_HWPT_GET_DIRTY_BITMAP of ", id_}), "HWPT",
      hwpt);
}

Expected<void> Iommufd::map_file(std::uint32_t ioas, const DmaMapping& mapping) {
  abi::iommu_ioas_map_file argument{sizeof argument, flags_of(mapping), ioas,        mapping.block->fd,
                                    mapping.offset,  mapping.size,      mapping.iova};
  return without_value(
      request(abi::request::iommu_ioas_map_file, &argument,
              {"IOMMU_IOAS_MAP_FILE of ", Decimal(mapping.size), " bytes at ", Decimal(mapping.iova)}));
}

Expected<void> Iommufd::map_memory(std::uint32_t ioas, const DmaMapping& mapping) {
  abi::iommu_ioas_map argument{sizeof argument,       flags_of(mapping), ioas,        0,
                               mapping.vaddr.value(), mapping.size,      mapping.iova};
  return without_value(request(abi::request::iommu_ioas_map, &argument,
                               {"IOMMU_IOAS_MAP of ", Decimal(mapping.size), " bytes at ", Decimal(mapping.iova)}));
}

Expected<void> Iommufd::unmap(std::uint32_t ioas, const DmaMapping& mapping) {
  abi::iommu_ioas_unmap argument{sizeof argument, ioas, mapping.iova, mapping.size};
  return without_value(request(abi::request::iommu_ioas_unmap, &argument,
                               {"IOMMU_IOAS_UNMAP of ", Decimal(mapping.size), " bytes at ", Decimal(mapping.iova)}));
}

/// Linux 7.2 answers EINVAL, though everything has changed hands, when the former owner is dead and RLIMIT_MODE is 1;
/// asked again it finds nothing to change. A mapping that is not of a file is EINVAL both times.
Expected<void> Iommufd::change_process() {
  abi::iommu_ioas_change_process argument{sizeof argument, 0};
  auto ask = [&] {
    return request(abi::request::iommu_ioas_change_process, &argument, {"IOMMU_IOAS_CHANGE_PROCESS of ", id_});
  };
  Expected<int> done = ask();
  if (!done && done.error().os == os::Errno::einval) done = ask();
  return without_value(std::move(done));
}

}  // namespace vcpr::vfio
