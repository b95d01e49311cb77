#include "engine/vfio/type1_container.hpp"

#include <algorithm>

#include "engine/os/abi.hpp"
#include "engine/os/abi/vfio.hpp"
#include "engine/store/descriptor_kind.hpp"
#include "engine/vfio/group.hpp"
#include "engine/vfio/ioctl.hpp"

namespace vcpr::vfio {

namespace abi = os::abi;

namespace {

constexpr const char* kPath = "/dev/vfio/vfio";

store::Key key_of(std::int32_t group) {
  return {"vfio_container_for_group", group};
}

}  // namespace

Expected<Type1Container*> Type1Container::connect(Vm& vm, const Group& group) {
  if (vm.life.is_incoming()) return find_arrived(vm, group);
  for (const auto& container : vm.containers) {
    if (!container->attach(group)) continue;
    Expected<void> shared = vm.life.cpr.descriptors.share(key_of(group.id()), key_of(container->group_id()));
    if (!shared) {
      (void)container->detach(group);
      return std::unexpected(std::move(shared.error()));
    }
    container->groups_.push_back(group.id());
    return container.get();
  }
  return create(vm, group, -1);
}

/// The old process saved its container once per group; over a socket each came as a descriptor of its own.
Expected<Type1Container*> Type1Container::find_arrived(Vm& vm, const Group& group) {
  Expected<int> fd = vm.life.cpr.descriptors.claim(key_of(group.id()));
  if (!fd) return std::unexpected(std::move(fd.error()));
  for (const auto& container : vm.containers) {
    Expected<bool> same = vfio_cpr_container_match(vm, *container, group, *fd);
    if (!same) return std::unexpected(std::move(same.error()));
    if (!*same) continue;
    container->groups_.push_back(group.id());
    return container.get();
  }
  Expected<store::DescriptorKind> kind = store::kind_of(vm.life.kernel, *fd);
  if (!kind) return std::unexpected(std::move(kind.error()));
  if (*kind == store::DescriptorKind::vfio_container) return create(vm, group, *fd);
  return refuse(ErrorCode::wrong_kind, {store::describe(key_of(group.id())), ": is ", name(*kind), ", not ", kPath});
}

Expected<Type1Container*> Type1Container::create(Vm& vm, const Group& group, int arrived) {
  const std::uint32_t number = vm.containers.empty() ? 0 : vm.containers.back()->number() + 1;
  std::unique_ptr<Type1Container> container(new Type1Container(vm, number));
  container->fd_ = arrived;
  if (arrived < 0) {
    if (Expected<void> opened = container->open(group); !opened) return std::unexpected(std::move(opened.error()));
  }
  if (Expected<void> ready = container->set_up(group); !ready) {
    (void)vm.life.cpr.descriptors.remove(key_of(group.id()));
    return std::unexpected(std::move(ready.error()));
  }
  container->groups_.push_back(group.id());
  return vm.containers.emplace_back(std::move(container)).get();
}

Expected<void> Type1Container::disconnect(Type1Container& container, const Group& group) {
  Vm& vm = container.vm_;
  const bool is_last = container.groups_.size() == 1;
  if (is_last) {
    vfio_legacy_cpr_unregister_container(vm, container);
    container.forget();
  }
  Expected<void> first;
  if (vm.may_change()) note(first, container.detach(group));
  note(first, vm.life.cpr.descriptors.remove(key_of(group.id())));
  std::erase(container.groups_, group.id());
  if (is_last) vm.containers.remove_if([&](const auto& each) { return each.get() == &container; });
  return first;
}

Type1Container::~Type1Container() {
  vfio_legacy_cpr_unregister_container(vm_, *this);
  forget();
}

Expected<void> Type1Container::open(const Group& group) {
  os::Result<int> opened = vm_.life.kernel.open(kPath, abi::o_rdwr | abi::o_cloexec);
  if (!opened) return refuse_os(opened.error(), {"open ", kPath});
  Expected<void> saved = vm_.life.cpr.descriptors.save(key_of(group.id()), os::Fd(vm_.life.kernel, *opened));
  if (saved) fd_ = *opened;
  return saved;
}

Expected<void> Type1Container::set_up(const Group& group) {
  if (Expected<void> checked = check_api(); !checked) return checked;
  const bool is_fresh = !vm_.life.is_incoming();
  if (is_fresh) {
    if (Expected<void> attached = attach(group); !attached) return attached;
  }
  Expected<void> ready = is_fresh ? set_type() : Expected<void>();
  if (ready) ready = vfio_legacy_cpr_register_container(vm_, *this);
  if (ready) ready = check_page_size();
  if (!ready && is_fresh) (void)detach(group);
  return ready;
}

Expected<void> Type1Container::check_api() {
  Expected<int> version =
      call(vm_.life.kernel, fd_, abi::request::vfio_get_api_version, nullptr, {"VFIO_GET_API_VERSION"});
  if (!version) return std::unexpected(std::move(version.error()));
  if (*version != static_cast<int>(abi::vfio_api_version)) {
    return refuse(ErrorCode::bad_version, {kPath, ": API version ", Decimal(*version), ", not ",
                                           Decimal(std::uint32_t{abi::vfio_api_version})});
  }
  Expected<bool> is_v2 = has(abi::vfio_type1v2_iommu);
  if (!is_v2) return std::unexpected(std::move(is_v2.error()));
  if (*is_v2) return {};
  return refuse(ErrorCode::bad_version, {kPath, ": no type1 v2"});
}

/// VFIO_IOMMU_GET_INFO: pages of the CPU can be mapped alone.
Expected<void> Type1Container::check_page_size() {
  abi::vfio_iommu_type1_info info;
  info.argsz = sizeof info;
  Expected<int> asked = call(vm_.life.kernel, fd_, abi::request::vfio_iommu_get_info, &info, {"VFIO_IOMMU_GET_INFO"});
  if (!asked) return std::unexpected(std::move(asked.error()));
  if ((info.iova_pgsizes & memory::kPageBytes) != 0) return {};
  return refuse(ErrorCode::bad_value, {"the IOMMU maps no single page of ", Decimal(memory::kPageBytes), " bytes"});
}

Expected<bool> Type1Container::has(std::uint32_t extension) {
  Expected<int> answer = call(vm_.life.kernel, fd_, abi::request::vfio_check_extension, by_value(extension),
                              {"VFIO_CHECK_EXTENSION ", Decimal(extension)});
  if (!answer) return std::unexpected(std::move(answer.error()));
  return *answer != 0;
}

Expected<void> Type1Container::attach(const Group& group) {
  std::int32_t container = fd_;
  Expected<int> set = call(vm_.life.kernel, group.fd(), abi::request::vfio_group_set_container, &container,
                           {"VFIO_GROUP_SET_CONTAINER of group ", Decimal(group.number())});
  if (!set) return std::unexpected(std::move(set.error()));
  return {};
}

Expected<void> Type1Container::detach(const Group& group) {
  Expected<int> unset = call(vm_.life.kernel, group.fd(), abi::request::vfio_group_unset_container, nullptr,
                             {"VFIO_GROUP_UNSET_CONTAINER of group ", Decimal(group.number())});
  if (!unset) return std::unexpected(std::move(unset.error()));
  return {};
}

Expected<void> Type1Container::set_type() {
  Expected<int> set = call(vm_.life.kernel, fd_, abi::request::vfio_set_iommu, by_value(abi::vfio_type1v2_iommu),
                           {"VFIO_SET_IOMMU of ", kPath});
  if (!set) return std::unexpected(std::move(set.error()));
  return {};
}

}  // namespace vcpr::vfio
