#include "engine/store/descriptor_link.hpp"

#include <charconv>
#include <cstring>

#include "engine/os/abi.hpp"

namespace vcpr::store {

Expected<DescriptorLink> DescriptorLink::of(os::Kernel& kernel, int number) {
  constexpr std::string_view kFolder = "/proc/self/fd/";
  std::array<char, 32> path{};
  std::memcpy(path.data(), kFolder.data(), kFolder.size());
  std::to_chars(path.data() + kFolder.size(), path.data() + path.size() - 1, number);
  DescriptorLink link;
  os::Result<std::size_t> size = kernel.readlink(path.data(), link.text_);
  if (size) {
    link.size_ = *size < link.text_.size() ? *size : 0;
    return link;
  }
  // A closed descriptor has no link; neither has anything where /proc is not mounted.
  os::Result<int> flags = kernel.fcntl(number, os::abi::f_getfd, 0);
  if (!flags && flags.error() == os::Errno::ebadf) {
    return refuse(ErrorCode::bad_descriptor, {"descriptor ", Decimal(number), " is not open"});
  }
  return refuse_os(size.error(), {"readlink of ", path.data()});
}

}  // namespace vcpr::store
