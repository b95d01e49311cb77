// memfd: flags, seals against every operation, offsets, sparse contents.
#include <array>
#include <string>

#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

namespace {

constexpr auto kSealable = abi::mfd_allow_sealing | abi::mfd_cloexec;

int make_sealable(os::Kernel& k, std::uint64_t size = 0) {
  const int f = k.memfd_create("g", kSealable).value_or(-1);
  (void)k.ftruncate(f, size);
  return f;
}

os::Result<int> seal(os::Kernel& k, int f, int seals) {
  return k.fcntl(f, abi::f_add_seals, seals);
}

os::Result<os::UserAddr> map(os::Kernel& k, int f, int protection, int flags = abi::map_shared) {
  return k.mmap(os::UserAddr(), kPage, protection, flags, f, 0);
}
Outcome outcome(const os::Result<os::UserAddr>& mapped) {
  return mapped ? 0 : fails(mapped.error());
}

constexpr int kReadWrite = abi::prot_read | abi::prot_write;

void m01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  report.expect("flags 0x8000", k.memfd_create("g", 0x8000), fails(Errno::einval));
  report.expect("EXEC and NOEXEC_SEAL", k.memfd_create("g", abi::mfd_exec | abi::mfd_noexec_seal),
                fails(Errno::einval));
}

void m02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = k.memfd_create("g", abi::mfd_exec | abi::mfd_cloexec).value_or(-1);
  report.expect("GET_SEALS", k.fcntl(f, abi::f_get_seals, 0), abi::seal_seal);
  report.expect("ADD_SEALS", seal(k, f, abi::seal_shrink), fails(Errno::eperm));
}

void m03(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = k.memfd_create("g", abi::mfd_noexec_seal | abi::mfd_cloexec).value_or(-1);
  report.expect("GET_SEALS", k.fcntl(f, abi::f_get_seals, 0), abi::seal_exec);
  report.expect("ADD_SEALS", seal(k, f, abi::seal_shrink | abi::seal_grow), 0);
  report.expect("mode", k.fstat(f).value_or(os::Stat{}).mode, 0100666);
}

void m04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  report.expect("249 bytes", k.memfd_create(std::string(249, 'n').c_str(), 0).has_value(), 1);
  report.expect("250 bytes", k.memfd_create(std::string(250, 'n').c_str(), 0), fails(Errno::einval));
  const int f = k.memfd_create("a name", 0).value_or(-1);
  std::array<char, 64> buffer{};
  const std::string link = "/proc/self/fd/" + std::to_string(f);
  const auto length = k.readlink(link.c_str(), buffer);
  const std::string_view text(buffer.data(), length.value_or(0));
  if (text != "/memfd:a name (deleted)") report.add("readlink: got " + std::string(text));
  report.expect("GETFL", k.fcntl(f, abi::f_getfl, 0), abi::o_rdwr | 0100000);
  report.expect("readlink cut to its buffer", k.readlink(link.c_str(), std::span(buffer).first(5)), 5);
}

void m05(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_sealable(k, kPage);
  const auto m = map(k, f, kReadWrite);
  report.expect("WRITE while mapped", seal(k, f, abi::seal_write), fails(Errno::ebusy));
  report.expect("munmap", k.munmap(m.value_or(os::UserAddr()), kPage), 0);
  report.expect("WRITE", seal(k, f, abi::seal_write), 0);
  report.expect("mmap shared, writable", outcome(map(k, f, kReadWrite)), fails(Errno::eperm));
  report.expect("write", write_text(k, f, "x"), fails(Errno::eperm));
  report.expect("mmap private, writable", outcome(map(k, f, kReadWrite, abi::map_private)), 0);
}

void m06(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_sealable(k, kPage);
  const auto old_mapping = map(k, f, kReadWrite);
  report.expect("FUTURE_WRITE while mapped", seal(k, f, abi::seal_future_write), 0);
  std::byte byte{7};
  report.expect("store through the old mapping", world.store(old_mapping.value_or(os::UserAddr()), {&byte, 1}), 1);
  report.expect("read it", k.pread(f, {&byte, 1}, 0), 1);
  report.expect("its value", static_cast<Outcome>(byte), 7);
  report.expect("write", write_text(k, f, "x"), fails(Errno::eperm));
  report.expect("mmap shared, writable", outcome(map(k, f, kReadWrite)), fails(Errno::eperm));
  const auto readable = map(k, f, abi::prot_read);
  report.expect("mmap shared, read-only", outcome(readable), 0);
  report.expect("mprotect writable", k.mprotect(readable.value_or(os::UserAddr()), kPage, kReadWrite),
                fails(Errno::eacces));
}

void m07(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_sealable(k);
  const std::string link = "/proc/self/fd/" + std::to_string(f);
  const int readable = k.open(link.c_str(), abi::o_rdonly | abi::o_cloexec).value_or(-1);
  report.expect("ADD_SEALS, read-only", seal(k, readable, abi::seal_shrink), fails(Errno::eperm));
  report.expect("GET_SEALS, read-only", k.fcntl(readable, abi::f_get_seals, 0), 0);
  report.expect("unknown seal", seal(k, f, 0x100), fails(Errno::einval));
  report.expect("write, read-only", write_text(k, readable, "x"), fails(Errno::ebadf));
  report.expect("ftruncate, read-only", k.ftruncate(readable, 1), fails(Errno::einval));
  report.expect("mmap shared writable, read-only", outcome(map(k, readable, kReadWrite)), fails(Errno::eacces));
  report.expect("the reopened one has its own offset", write_text(k, f, "abc"), 3);
  report.expect("at 0", k.lseek(readable, 0, abi::seek_cur), 0);
  report.expect("but the same contents", read_bytes(k, readable, 10), 3);
}

void m08(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  const int f = make_sealable(k, kPage);
  std::byte byte{42};
  (void)world.store(map(k, f, kReadWrite).value_or(os::UserAddr()) + 5, {&byte, 1});
  report.expect("seal", seal(k, f, abi::seal_shrink | abi::seal_grow), 0);
  (void)send(k, p.left, "x", {f});
  const Arrived arrived = receive(k, p.right, 1, 100);
  if (arrived.fds.size() != 1) return report.add("nothing arrived");
  byte = {};
  const auto mapped = map(k, arrived.fds[0], kReadWrite);
  report.expect("load", world.load(mapped.value_or(os::UserAddr()) + 5, {&byte, 1}), 1);
  report.expect("its value", static_cast<Outcome>(byte), 42);
  report.expect("seals", k.fcntl(arrived.fds[0], abi::f_get_seals, 0), abi::seal_shrink | abi::seal_grow);
}

void m09(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_sealable(k, 2 * kPage);
  report.expect("SHRINK", seal(k, f, abi::seal_shrink), 0);
  report.expect("smaller", k.ftruncate(f, kPage), fails(Errno::eperm));
  report.expect("same", k.ftruncate(f, 2 * kPage), 0);
  report.expect("larger", k.ftruncate(f, 3 * kPage), 0);
  report.expect("GROW", seal(k, f, abi::seal_grow), 0);
  report.expect("larger still", k.ftruncate(f, 4 * kPage), fails(Errno::eperm));
  report.expect("write at the end", k.pwrite(f, std::as_bytes(std::span("x", 1)), 3 * kPage), fails(Errno::eperm));
  report.expect("SEAL", seal(k, f, abi::seal_seal), 0);
  report.expect("no more seals", seal(k, f, abi::seal_write), fails(Errno::eperm));
}

void m13(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_sealable(k, 3 * kPage);
  report.expect("GROW", seal(k, f, abi::seal_grow), 0);
  const std::string pages(2 * kPage, 'p');
  report.expect("within", k.pwrite(f, std::as_bytes(std::span(pages)), kPage), 2 * kPage);
  report.expect("over the end", k.pwrite(f, std::as_bytes(std::span(pages)), 2 * kPage), fails(Errno::eperm));
}

void m10(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_sealable(k);
  report.expect("EXEC seals the contents too", seal(k, f, abi::seal_exec), 0);
  report.expect("GET_SEALS", k.fcntl(f, abi::f_get_seals, 0), 0x3e);
  const int g = make_sealable(k, kPage);
  (void)map(k, g, kReadWrite);
  report.expect("so a mapping stands against it", seal(k, g, abi::seal_exec), fails(Errno::ebusy));
}

void m11(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_sealable(k);
  report.expect("write", write_text(k, f, "abcdef"), 6);
  report.expect("read at the end", read_bytes(k, f, 10), 0);
  report.expect("back", k.lseek(f, -4, abi::seek_end), 2);
  report.expect("read", read_bytes(k, f, 10), 4);
  report.expect("before the start", k.lseek(f, -7, abi::seek_cur), fails(Errno::einval));
  report.expect("beyond the end", k.lseek(f, 10, abi::seek_end), 16);
  report.expect("write leaves a hole", write_text(k, f, "z"), 1);
  report.expect("size", static_cast<Outcome>(k.fstat(f).value_or(os::Stat{}).size), 17);
  report.expect("pread leaves the offset", k.pread(f, {}, 0), 0);
  report.expect("offset", k.lseek(f, 0, abi::seek_cur), 17);
  std::byte hole{9};
  report.expect("the hole", k.pread(f, {&hole, 1}, 10), 1);
  report.expect("reads as zero", static_cast<Outcome>(hole), 0);
}

void m12(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_sealable(k, std::uint64_t{64} << 20);
  std::byte byte{1};
  report.expect("write in the middle", k.pwrite(f, {&byte, 1}, std::uint64_t{32} << 20), 1);
  report.expect("cut", k.ftruncate(f, std::uint64_t{32} << 20), 0);
  report.expect("grow", k.ftruncate(f, std::uint64_t{64} << 20), 0);
  report.expect("read", k.pread(f, {&byte, 1}, std::uint64_t{32} << 20), 1);
  report.expect("what was cut is zero", static_cast<Outcome>(byte), 0);
  report.expect("negative size", k.ftruncate(f, ~std::uint64_t{0}), fails(Errno::einval));
  const std::string tail = "tail";
  report.expect("within a page", k.pwrite(f, std::as_bytes(std::span(tail)), 0), 4);
  report.expect("cut inside it", k.ftruncate(f, 2), 0);
  report.expect("grow", k.ftruncate(f, 100), 0);
  report.expect("read", k.pread(f, {&byte, 1}, 3), 1);
  report.expect("the tail is zero", static_cast<Outcome>(byte), 0);
}

constexpr std::array kCases = {
    Case{"M01", "unknown and contradicting flags", Feature::mfd_exec_flags, m01},
    Case{"M02", "no sealing asked", Feature::mfd_exec_flags, m02},
    Case{"M03", "MFD_NOEXEC_SEAL", Feature::mfd_exec_flags, m03},
    Case{"M04", "names", Feature::none, m04},
    Case{"M05", "the WRITE seal against a shared mapping", Feature::none, m05},
    Case{"M06", "FUTURE_WRITE keeps old mappings", Feature::none, m06},
    Case{"M07", "sealing needs a writable description", Feature::none, m07},
    Case{"M08", "contents and seals travel with the descriptor", Feature::none, m08},
    Case{"M09", "SHRINK, GROW and SEAL", Feature::none, m09},
    Case{"M10", "EXEC on an executable file", Feature::mfd_exec_flags, m10},
    Case{"M11", "offsets", Feature::none, m11},
    Case{"M12", "truncation forgets", Feature::none, m12},
    Case{"M13", "a write over a sealed end is refused whole", Feature::large_memfd_writes, m13},
};

}  // namespace

std::span<const Case> memfd_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
