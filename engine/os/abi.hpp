// The constants of Linux x86_64 that callers of os::Kernel need, under our own lower-case names: the system headers
// define macros of the upper-case ones. linux_kernel.cpp holds each to its header.
#pragma once

#include <cstdint>

namespace vcpr::os::abi {

// open (fcntl.h)
inline constexpr int o_rdonly = 0;
inline constexpr int o_wronly = 01;
inline constexpr int o_rdwr = 02;
inline constexpr int o_accmode = 03;
inline constexpr int o_creat = 0100;
inline constexpr int o_excl = 0200;
inline constexpr int o_trunc = 01000;
inline constexpr int o_append = 02000;
inline constexpr int o_nonblock = 04000;
inline constexpr int o_cloexec = 02000000;

// fcntl (fcntl.h, linux/fcntl.h)
inline constexpr int f_dupfd = 0;
inline constexpr int f_getfd = 1;
inline constexpr int f_setfd = 2;
inline constexpr int f_getfl = 3;
inline constexpr int f_setfl = 4;
inline constexpr int f_dupfd_cloexec = 1030;
inline constexpr int f_add_seals = 1033;
inline constexpr int f_get_seals = 1034;
inline constexpr int fd_cloexec = 1;
inline constexpr int seal_seal = 0x1;
inline constexpr int seal_shrink = 0x2;
inline constexpr int seal_grow = 0x4;
inline constexpr int seal_write = 0x8;
inline constexpr int seal_future_write = 0x10;
inline constexpr int seal_exec = 0x20;

// lseek (unistd.h)
inline constexpr int seek_set = 0;
inline constexpr int seek_cur = 1;
inline constexpr int seek_end = 2;

// eventfd (sys/eventfd.h), memfd_create (linux/memfd.h)
inline constexpr int efd_semaphore = 1;
inline constexpr int efd_cloexec = 02000000;
inline constexpr int efd_nonblock = 04000;
inline constexpr std::uint32_t mfd_cloexec = 0x1;
inline constexpr std::uint32_t mfd_allow_sealing = 0x2;
inline constexpr std::uint32_t mfd_hugetlb = 0x4;
inline constexpr std::uint32_t mfd_noexec_seal = 0x8;
inline constexpr std::uint32_t mfd_exec = 0x10;
inline constexpr std::uint32_t mfd_huge_shift = 26;
inline constexpr std::uint32_t mfd_huge_mask = 0x3f;

// mmap (sys/mman.h)
inline constexpr int prot_none = 0;
inline constexpr int prot_read = 1;
inline constexpr int prot_write = 2;
inline constexpr int prot_exec = 4;
inline constexpr int map_shared = 0x01;
inline constexpr int map_private = 0x02;
inline constexpr int map_fixed = 0x10;
inline constexpr int map_anonymous = 0x20;
inline constexpr int map_noreserve = 0x4000;
inline constexpr int map_populate = 0x8000;
inline constexpr int map_hugetlb = 0x40000;
inline constexpr int map_fixed_noreplace = 0x100000;

// sockets (sys/socket.h)
inline constexpr int af_unix = 1;
inline constexpr int sock_stream = 1;
inline constexpr int sock_nonblock = 04000;
inline constexpr int sock_cloexec = 02000000;
inline constexpr int sol_socket = 1;
inline constexpr int scm_rights = 1;
inline constexpr int shut_rd = 0;
inline constexpr int shut_wr = 1;
inline constexpr int shut_rdwr = 2;
inline constexpr int msg_peek = 0x2;
inline constexpr int msg_ctrunc = 0x8;
inline constexpr int msg_trunc = 0x20;
inline constexpr int msg_dontwait = 0x40;
inline constexpr int msg_nosignal = 0x4000;
inline constexpr int msg_cmsg_cloexec = 0x40000000;
/// Bytes of sun_path, its NUL included (sys/un.h).
inline constexpr std::uint32_t sun_path_bytes = 108;

// poll (poll.h)
inline constexpr std::int16_t pollin = 0x001;
inline constexpr std::int16_t pollpri = 0x002;
inline constexpr std::int16_t pollout = 0x004;
inline constexpr std::int16_t pollerr = 0x008;
inline constexpr std::int16_t pollhup = 0x010;
inline constexpr std::int16_t pollnval = 0x020;
inline constexpr std::int16_t pollrdhup = 0x2000;

// stat (sys/stat.h)
inline constexpr std::uint32_t s_ifmt = 0170000;
inline constexpr std::uint32_t s_ififo = 0010000;
inline constexpr std::uint32_t s_ifchr = 0020000;
inline constexpr std::uint32_t s_ifdir = 0040000;
inline constexpr std::uint32_t s_ifblk = 0060000;
inline constexpr std::uint32_t s_ifreg = 0100000;
inline constexpr std::uint32_t s_iflnk = 0120000;
inline constexpr std::uint32_t s_ifsock = 0140000;

}  // namespace vcpr::os::abi
