// The names of the constants of abi.hpp, as traces show them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/os/abi.hpp"

namespace vcpr::os {

struct FlagName {
  std::int64_t value = 0;
  std::string_view name;
};

inline constexpr FlagName kEventfdFlags[] = {
    {abi::efd_semaphore, "EFD_SEMAPHORE"}, {abi::efd_cloexec, "EFD_CLOEXEC"}, {abi::efd_nonblock, "EFD_NONBLOCK"}};
inline constexpr FlagName kMemfdFlags[] = {{abi::mfd_cloexec, "MFD_CLOEXEC"},
                                           {abi::mfd_allow_sealing, "MFD_ALLOW_SEALING"},
                                           {abi::mfd_hugetlb, "MFD_HUGETLB"},
                                           {abi::mfd_noexec_seal, "MFD_NOEXEC_SEAL"},
                                           {abi::mfd_exec, "MFD_EXEC"}};
inline constexpr FlagName kProtections[] = {
    {abi::prot_read, "PROT_READ"}, {abi::prot_write, "PROT_WRITE"}, {abi::prot_exec, "PROT_EXEC"}};
inline constexpr FlagName kMapFlags[] = {
    {abi::map_shared, "MAP_SHARED"},       {abi::map_private, "MAP_PRIVATE"},
    {abi::map_fixed, "MAP_FIXED"},         {abi::map_anonymous, "MAP_ANONYMOUS"},
    {abi::map_noreserve, "MAP_NORESERVE"}, {abi::map_populate, "MAP_POPULATE"},
    {abi::map_hugetlb, "MAP_HUGETLB"},     {abi::map_fixed_noreplace, "MAP_FIXED_NOREPLACE"}};
inline constexpr FlagName kSocketFlags[] = {{abi::sock_nonblock, "SOCK_NONBLOCK"}, {abi::sock_cloexec, "SOCK_CLOEXEC"}};
inline constexpr FlagName kMessageFlags[] = {
    {abi::msg_peek, "MSG_PEEK"},         {abi::msg_ctrunc, "MSG_CTRUNC"},
    {abi::msg_trunc, "MSG_TRUNC"},       {abi::msg_dontwait, "MSG_DONTWAIT"},
    {abi::msg_nosignal, "MSG_NOSIGNAL"}, {abi::msg_cmsg_cloexec, "MSG_CMSG_CLOEXEC"}};
inline constexpr FlagName kPollEvents[] = {
    {abi::pollin, "POLLIN"},   {abi::pollpri, "POLLPRI"},   {abi::pollout, "POLLOUT"},    {abi::pollerr, "POLLERR"},
    {abi::pollhup, "POLLHUP"}, {abi::pollnval, "POLLNVAL"}, {abi::pollrdhup, "POLLRDHUP"}};
inline constexpr FlagName kOpenFlags[] = {{abi::o_creat, "O_CREAT"},       {abi::o_excl, "O_EXCL"},
                                          {abi::o_trunc, "O_TRUNC"},       {abi::o_append, "O_APPEND"},
                                          {abi::o_nonblock, "O_NONBLOCK"}, {abi::o_cloexec, "O_CLOEXEC"}};
inline constexpr FlagName kDescriptorFlags[] = {{abi::fd_cloexec, "FD_CLOEXEC"}};
inline constexpr FlagName kSeals[] = {{abi::seal_seal, "F_SEAL_SEAL"},
                                      {abi::seal_shrink, "F_SEAL_SHRINK"},
                                      {abi::seal_grow, "F_SEAL_GROW"},
                                      {abi::seal_write, "F_SEAL_WRITE"},
                                      {abi::seal_future_write, "F_SEAL_FUTURE_WRITE"},
                                      {abi::seal_exec, "F_SEAL_EXEC"}};

inline constexpr FlagName kAccessModes[] = {
    {abi::o_rdonly, "O_RDONLY"}, {abi::o_wronly, "O_WRONLY"}, {abi::o_rdwr, "O_RDWR"}};
inline constexpr FlagName kFcntlCommands[] = {
    {abi::f_dupfd, "F_DUPFD"},         {abi::f_dupfd_cloexec, "F_DUPFD_CLOEXEC"},
    {abi::f_getfd, "F_GETFD"},         {abi::f_setfd, "F_SETFD"},
    {abi::f_getfl, "F_GETFL"},         {abi::f_setfl, "F_SETFL"},
    {abi::f_add_seals, "F_ADD_SEALS"}, {abi::f_get_seals, "F_GET_SEALS"}};
inline constexpr FlagName kWhences[] = {
    {abi::seek_set, "SEEK_SET"}, {abi::seek_cur, "SEEK_CUR"}, {abi::seek_end, "SEEK_END"}};
inline constexpr FlagName kFileTypes[] = {
    {abi::s_ififo, "S_IFIFO"}, {abi::s_ifchr, "S_IFCHR"}, {abi::s_ifdir, "S_IFDIR"},  {abi::s_ifblk, "S_IFBLK"},
    {abi::s_ifreg, "S_IFREG"}, {abi::s_iflnk, "S_IFLNK"}, {abi::s_ifsock, "S_IFSOCK"}};
inline constexpr FlagName kDomains[] = {{abi::af_unix, "AF_UNIX"}};
inline constexpr FlagName kSocketTypes[] = {{abi::sock_stream, "SOCK_STREAM"}};
inline constexpr FlagName kShutdowns[] = {
    {abi::shut_rd, "SHUT_RD"}, {abi::shut_wr, "SHUT_WR"}, {abi::shut_rdwr, "SHUT_RDWR"}};

/// "0x3b71".
std::string hexadecimal(std::uint64_t value);
/// "EFD_CLOEXEC|EFD_NONBLOCK"; bits without a name follow in hexadecimal; "0" when there are none.
std::string flags_text(std::span<const FlagName> names, std::int64_t flags);
/// The name of exactly this value, or its decimal text.
std::string value_text(std::span<const FlagName> names, std::int64_t value);
/// "O_RDWR|O_CLOEXEC": the access mode is a value, the rest are flags.
std::string open_flags_text(int flags);
/// "SOCK_STREAM|SOCK_CLOEXEC".
std::string socket_type_text(int type);
/// What the third argument of fcntl means to this command.
std::string fcntl_argument_text(int command, std::int64_t argument);

}  // namespace vcpr::os
