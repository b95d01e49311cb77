#include "engine/os/errno.hpp"

#include <algorithm>
#include <utility>

namespace vcpr::os {

namespace {

using enum Errno;

constexpr std::pair<Errno, std::string_view> kNames[] = {
    {none, "OK"},
    {eperm, "EPERM"},
    {enoent, "ENOENT"},
    {esrch, "ESRCH"},
    {eintr, "EINTR"},
    {eio, "EIO"},
    {enxio, "ENXIO"},
    {e2big, "E2BIG"},
    {ebadf, "EBADF"},
    {eagain, "EAGAIN"},
    {enomem, "ENOMEM"},
    {eacces, "EACCES"},
    {efault, "EFAULT"},
    {ebusy, "EBUSY"},
    {eexist, "EEXIST"},
    {enodev, "ENODEV"},
    {enotdir, "ENOTDIR"},
    {eisdir, "EISDIR"},
    {einval, "EINVAL"},
    {enfile, "ENFILE"},
    {emfile, "EMFILE"},
    {enotty, "ENOTTY"},
    {efbig, "EFBIG"},
    {enospc, "ENOSPC"},
    {espipe, "ESPIPE"},
    {erofs, "EROFS"},
    {epipe, "EPIPE"},
    {erange, "ERANGE"},
    {enametoolong, "ENAMETOOLONG"},
    {enosys, "ENOSYS"},
    {eloop, "ELOOP"},
    {eoverflow, "EOVERFLOW"},
    {ebadfd, "EBADFD"},
    {enotsock, "ENOTSOCK"},
    {edestaddrreq, "EDESTADDRREQ"},
    {emsgsize, "EMSGSIZE"},
    {eprototype, "EPROTOTYPE"},
    {eprotonosupport, "EPROTONOSUPPORT"},
    {esocktnosupport, "ESOCKTNOSUPPORT"},
    {eopnotsupp, "EOPNOTSUPP"},
    {eafnosupport, "EAFNOSUPPORT"},
    {eaddrinuse, "EADDRINUSE"},
    {eaddrnotavail, "EADDRNOTAVAIL"},
    {econnreset, "ECONNRESET"},
    {enobufs, "ENOBUFS"},
    {eisconn, "EISCONN"},
    {enotconn, "ENOTCONN"},
    {etoomanyrefs, "ETOOMANYREFS"},
    {econnrefused, "ECONNREFUSED"},
    {einprogress, "EINPROGRESS"},
    {gone, "GONE"},
};

}  // namespace

std::string_view name(Errno error) {
  const auto* found = std::ranges::find(kNames, error, &std::pair<Errno, std::string_view>::first);
  return found == std::end(kNames) ? "E?" : found->second;
}

}  // namespace vcpr::os
