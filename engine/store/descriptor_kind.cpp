#include "engine/store/descriptor_kind.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/os/abi.hpp"
#include "engine/store/descriptor_link.hpp"

namespace vcpr::store {

namespace {

/// makedev(10, 196) as st_rdev holds it: a misc device, VFIO_MINOR.
constexpr std::uint64_t kContainerDevice = 10u << 8 | 196u;

Expected<os::Stat> stat_of(os::Kernel& kernel, int number) {
  os::Result<os::Stat> stat = kernel.fstat(number);
  if (stat) return *stat;
  if (stat.error() != os::Errno::ebadf) return refuse_os(stat.error(), {"fstat of descriptor ", Decimal(number)});
  return refuse(ErrorCode::bad_descriptor, {"descriptor ", Decimal(number), " is not open"});
}

/// The name in anon_inode_getfile (kernel fs/eventfd.c).
bool is_eventfd(const DescriptorLink& link) {
  return link.text() == "anon_inode:[eventfd]";
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_group_path(std::string_view path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || !path.substr(0, slash).ends_with("/vfio")) return false;
  std::string_view base = path.substr(slash + 1);
  constexpr std::string_view kNoIommu = "noiommu-";
  if (base.starts_with(kNoIommu)) base.remove_prefix(kNoIommu.size());
  return is_digits(base);
}

Expected<DescriptorKind> kind_of_character_device(os::Kernel& kernel, int number, const os::Stat& stat) {
  if (stat.special_device == kContainerDevice) return DescriptorKind::vfio_container;
  Expected<DescriptorLink> link = DescriptorLink::of(kernel, number);
  if (!link) return std::unexpected(std::move(link.error()));
  return is_group_path(link->text()) ? DescriptorKind::vfio_group : DescriptorKind::device;
}

/// Anonymous objects share one inode without a type.
Expected<DescriptorKind> kind_of_anonymous(os::Kernel& kernel, int number) {
  Expected<DescriptorLink> link = DescriptorLink::of(kernel, number);
  if (!link) return std::unexpected(std::move(link.error()));
  if (is_eventfd(*link)) return DescriptorKind::eventfd;
  return link->text() == "anon_inode:[vfio-device]" ? DescriptorKind::device : DescriptorKind::other;
}

/// kind_of == wanted, where one call can tell: an eventfd by its link, a container by its device number.
Expected<bool> has_kind(os::Kernel& kernel, int number, DescriptorKind wanted) {
  if (wanted == DescriptorKind::eventfd) {
    Expected<DescriptorLink> link = DescriptorLink::of(kernel, number);
    if (!link) return std::unexpected(std::move(link.error()));
    return is_eventfd(*link);
  }
  Expected<DescriptorKind> kind = kind_of(kernel, number);
  if (!kind) return std::unexpected(std::move(kind.error()));
  return *kind == wanted;
}

std::unexpected<Error> about(const Entry& entry, Error error) {
  error.text = describe(entry.key) + ": " + error.text;
  return std::unexpected(std::move(error));
}

std::unexpected<Error> wrong_kind(os::Kernel& kernel, const Entry& entry, DescriptorKind wanted) {
  Expected<DescriptorKind> kind = kind_of(kernel, entry.number);
  if (!kind) return about(entry, std::move(kind.error()));
  return refuse(ErrorCode::wrong_kind, {describe(entry.key), ": descriptor ", Decimal(entry.number), " is ",
                                        name(*kind), ", not ", name(wanted)});
}

}  // namespace

std::string_view name(DescriptorKind kind) {
  switch (kind) {
    case DescriptorKind::any:
      return "any";
    case DescriptorKind::eventfd:
      return "eventfd";
    case DescriptorKind::file:
      return "file";
    case DescriptorKind::vfio_container:
      return "vfio_container";
    case DescriptorKind::vfio_group:
      return "vfio_group";
    case DescriptorKind::device:
      return "device";
    case DescriptorKind::socket:
      return "socket";
    case DescriptorKind::pipe:
      return "pipe";
    case DescriptorKind::other:
      return "other";
  }
  return "unknown";
}

Expected<DescriptorKind> kind_of(os::Kernel& kernel, int number) {
  Expected<os::Stat> stat = stat_of(kernel, number);
  if (!stat) return std::unexpected(std::move(stat.error()));
  switch (stat->mode & os::abi::s_ifmt) {
    case os::abi::s_ifreg:
      return DescriptorKind::file;
    case os::abi::s_ifsock:
      return DescriptorKind::socket;
    case os::abi::s_ififo:
      return DescriptorKind::pipe;
    case os::abi::s_ifchr:
      return kind_of_character_device(kernel, number, *stat);
    case 0:
      return kind_of_anonymous(kernel, number);
    default:
      return DescriptorKind::other;
  }
}

DescriptorKind required_kind(std::string_view name) {
  if (name == "vfio_group") return DescriptorKind::vfio_group;
  if (name == "vfio_container_for_group") return DescriptorKind::vfio_container;
  // "_interrupt" covers "_kvm_interrupt".
  constexpr std::array<std::string_view, 5> kEventfds = {"_interrupt", "_intx-interrupt", "_intx-unmask",
                                                         "_err_notifier", "_req_notifier"};
  bool eventfd = std::ranges::any_of(kEventfds, [&](std::string_view end) { return name.ends_with(end); });
  return eventfd ? DescriptorKind::eventfd : DescriptorKind::any;
}

Expected<void> verify_kinds(os::Kernel& kernel, const DescriptorTable& table) {
  for (Entry entry : table) {
    DescriptorKind wanted = required_kind(entry.key.name);
    if (wanted == DescriptorKind::any) continue;
    Expected<bool> right = has_kind(kernel, entry.number, wanted);
    if (!right) return about(entry, std::move(right.error()));
    if (!*right) return wrong_kind(kernel, entry, wanted);
  }
  return {};
}

}  // namespace vcpr::store
