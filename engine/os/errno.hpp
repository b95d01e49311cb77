// The error numbers of Linux that the rooms above can meet, under our own names: <cerrno> defines macros.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace vcpr::os {

/// Values are those of Linux x86_64 (asm-generic/errno-base.h, errno.h), so that they can be cast from errno.
enum class Errno : std::int32_t {
  none = 0,
  eperm = 1,
  enoent = 2,
  esrch = 3,
  eintr = 4,
  eio = 5,
  enxio = 6,
  e2big = 7,
  ebadf = 9,
  eagain = 11,
  enomem = 12,
  eacces = 13,
  efault = 14,
  ebusy = 16,
  eexist = 17,
  enodev = 19,
  enotdir = 20,
  eisdir = 21,
  einval = 22,
  enfile = 23,
  emfile = 24,
  enotty = 25,
  efbig = 27,
  enospc = 28,
  espipe = 29,
  erofs = 30,
  epipe = 32,
  erange = 34,
  enametoolong = 36,
  enosys = 38,
  eloop = 40,
  eoverflow = 75,
  ebadfd = 77,
  enotsock = 88,
  edestaddrreq = 89,
  emsgsize = 90,
  eprototype = 91,
  eprotonosupport = 93,
  esocktnosupport = 94,
  eopnotsupp = 95,
  eafnosupport = 97,
  eaddrinuse = 98,
  eaddrnotavail = 99,
  econnreset = 104,
  enobufs = 105,
  eisconn = 106,
  enotconn = 107,
  etoomanyrefs = 109,
  econnrefused = 111,
  einprogress = 115,
  /// Not a Linux value: the calling process image is dead (killed, or replaced by execve). The call had no effect.
  gone = 4096,
};

/// "EAGAIN", "GONE"; "E?" for a number this list does not have.
std::string_view name(Errno error);

/// What a syscall returns: its value, or the errno.
template <class T>
using Result = std::expected<T, Errno>;

}  // namespace vcpr::os
