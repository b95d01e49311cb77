// An iommufd: /dev/iommu with the I/O address spaces and page tables of the devices bound to it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "engine/vfio/container.hpp"
#include "engine/vfio/vfio_cpr.hpp"
#include "engine/vfio/vm.hpp"

namespace vcpr::vfio {

class IommufdContainer;

class Iommufd {
 public:
  /// One user more of the VM's object of that id. The first one opens /dev/iommu; incoming it claims what came:
  /// missing_key, wrong_kind. On error nothing is left of it.
  static Expected<Iommufd*> connect(Vm& vm, std::string_view id);
  /// One user fewer; the last closes it.
  static Expected<void> disconnect(Iommufd& iommufd);
  ~Iommufd();
  Iommufd(const Iommufd&) = delete;
  Iommufd& operator=(const Iommufd&) = delete;

  const std::string& id() const { return id_; }
  /// Borrowed from the table.
  int fd() const { return fd_; }
  Vm& vm() const { return vm_; }

  // Objects; os_error
  Expected<std::uint32_t> allocate_ioas();
  Expected<std::uint32_t> allocate_hwpt(std::int32_t device, std::uint32_t ioas);
  Expected<void> destroy(std::uint32_t object);
  // Questions without effect: whether there is such an object. missing_key
  Expected<void> check_ioas(std::uint32_t ioas);
  Expected<void> check_device(std::int32_t device);
  Expected<void> check_hwpt(std::uint32_t hwpt);

  // Mappings at a fixed address; os_error
  Expected<void> map_file(std::uint32_t ioas, const DmaMapping& mapping);
  Expected<void> map_memory(std::uint32_t ioas, const DmaMapping& mapping);
  Expected<void> unmap(std::uint32_t ioas, const DmaMapping& mapping);

  /// IOMMU_IOAS_CHANGE_PROCESS: every mapping is charged to this process from here on. Nothing when it is already.
  Expected<void> change_process();

  std::list<std::unique_ptr<IommufdContainer>> containers;
  VFIOIommufdCPR cpr;

 private:
  Iommufd(Vm& vm, std::string_view id) : vm_(vm), id_(id) {}
  Expected<void> open();
  Expected<void> find_descriptor();
  Expected<int> request(std::uint64_t request, void* argument, std::initializer_list<std::string_view> what);
  Expected<void> check_object(Expected<int> answer, std::string_view kind, std::uint32_t object);

  Vm& vm_;
  std::string id_;
  int fd_ = -1;
  std::size_t users_ = 0;
};

}  // namespace vcpr::vfio
