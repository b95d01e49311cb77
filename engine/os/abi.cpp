// Holds the constants of abi.hpp to the system headers that define them, and compiles the generated headers.
#include "engine/os/abi.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/os/abi/vfio.hpp"

namespace vcpr::os::abi {

static_assert(o_rdonly == O_RDONLY);
static_assert(o_wronly == O_WRONLY);
static_assert(o_rdwr == O_RDWR);
static_assert(o_accmode == O_ACCMODE);
static_assert(o_creat == O_CREAT);
static_assert(o_excl == O_EXCL);
static_assert(o_trunc == O_TRUNC);
static_assert(o_append == O_APPEND);
static_assert(o_nonblock == O_NONBLOCK);
static_assert(o_cloexec == O_CLOEXEC);
static_assert(f_dupfd == F_DUPFD);
static_assert(f_getfd == F_GETFD);
static_assert(f_setfd == F_SETFD);
static_assert(f_getfl == F_GETFL);
static_assert(f_setfl == F_SETFL);
static_assert(f_dupfd_cloexec == F_DUPFD_CLOEXEC);
static_assert(f_add_seals == F_ADD_SEALS);
static_assert(f_get_seals == F_GET_SEALS);
static_assert(fd_cloexec == FD_CLOEXEC);
static_assert(seal_seal == F_SEAL_SEAL);
static_assert(seal_shrink == F_SEAL_SHRINK);
static_assert(seal_grow == F_SEAL_GROW);
static_assert(seal_write == F_SEAL_WRITE);
static_assert(seal_future_write == F_SEAL_FUTURE_WRITE);
static_assert(seek_set == SEEK_SET);
static_assert(seek_cur == SEEK_CUR);
static_assert(seek_end == SEEK_END);
static_assert(efd_semaphore == EFD_SEMAPHORE);
static_assert(efd_cloexec == EFD_CLOEXEC);
static_assert(efd_nonblock == EFD_NONBLOCK);
static_assert(mfd_cloexec == MFD_CLOEXEC);
static_assert(mfd_allow_sealing == MFD_ALLOW_SEALING);
static_assert(mfd_hugetlb == MFD_HUGETLB);
static_assert(mfd_huge_shift == MFD_HUGE_SHIFT);
static_assert(mfd_huge_mask == MFD_HUGE_MASK);
static_assert(prot_none == PROT_NONE);
static_assert(prot_read == PROT_READ);
static_assert(prot_write == PROT_WRITE);
static_assert(prot_exec == PROT_EXEC);
static_assert(map_shared == MAP_SHARED);
static_assert(map_private == MAP_PRIVATE);
static_assert(map_fixed == MAP_FIXED);
static_assert(map_anonymous == MAP_ANONYMOUS);
static_assert(map_noreserve == MAP_NORESERVE);
static_assert(map_populate == MAP_POPULATE);
static_assert(map_hugetlb == MAP_HUGETLB);
static_assert(map_fixed_noreplace == MAP_FIXED_NOREPLACE);
static_assert(af_unix == AF_UNIX);
static_assert(sock_stream == SOCK_STREAM);
static_assert(sock_nonblock == SOCK_NONBLOCK);
static_assert(sock_cloexec == SOCK_CLOEXEC);
static_assert(sol_socket == SOL_SOCKET);
static_assert(scm_rights == SCM_RIGHTS);
static_assert(shut_rd == SHUT_RD);
static_assert(shut_wr == SHUT_WR);
static_assert(shut_rdwr == SHUT_RDWR);
static_assert(msg_peek == MSG_PEEK);
static_assert(msg_ctrunc == MSG_CTRUNC);
static_assert(msg_trunc == MSG_TRUNC);
static_assert(msg_dontwait == MSG_DONTWAIT);
static_assert(msg_nosignal == MSG_NOSIGNAL);
static_assert(msg_cmsg_cloexec == MSG_CMSG_CLOEXEC);
static_assert(sun_path_bytes == sizeof(sockaddr_un::sun_path));
static_assert(pollin == POLLIN);
static_assert(pollpri == POLLPRI);
static_assert(pollout == POLLOUT);
static_assert(pollerr == POLLERR);
static_assert(pollhup == POLLHUP);
static_assert(pollnval == POLLNVAL);
static_assert(pollrdhup == POLLRDHUP);
static_assert(s_ifmt == S_IFMT);
static_assert(s_ififo == S_IFIFO);
static_assert(s_ifchr == S_IFCHR);
static_assert(s_ifdir == S_IFDIR);
static_assert(s_ifblk == S_IFBLK);
static_assert(s_ifreg == S_IFREG);
static_assert(s_iflnk == S_IFLNK);
static_assert(s_ifsock == S_IFSOCK);
#ifdef MFD_EXEC  // Linux 6.3
static_assert(mfd_exec == MFD_EXEC);
static_assert(mfd_noexec_seal == MFD_NOEXEC_SEAL);
#endif
#ifdef F_SEAL_EXEC  // Linux 6.3
static_assert(seal_exec == F_SEAL_EXEC);
#endif

}  // namespace vcpr::os::abi
