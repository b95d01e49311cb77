#include "properties/conformance/linux_world.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/capability.h>
#include <set>
#include <sstream>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "properties/conformance/case.hpp"

namespace vcpr::conformance {

namespace {

constexpr const char* kDmaEntryLimit = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit";
constexpr int kHighestNumber = 2048;  // cases stay below
constexpr int kReportNumber = 1900;   // where a child finds its report pipe

using Capabilities = std::array<__user_cap_data_struct, 2>;

Capabilities capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Capabilities data{};
  ::syscall(SYS_capget, &header, data.data());
  return data;
}

void set_capabilities(Capabilities data) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  ::syscall(SYS_capset, &header, data.data());
}

std::string first_word(const char* file) {
  std::ifstream stream(file);
  std::string word;
  stream >> word;
  return word;
}

bool is_linux_since(int major, int minor) {
  utsname name{};
  ::uname(&name);
  std::istringstream release(name.release);
  int here_major = 0;
  int here_minor = 0;
  char point = 0;
  release >> here_major >> point >> here_minor;
  return std::pair(here_major, here_minor) >= std::pair(major, minor);
}

/// Addresses of the devices of a model that are bound to vfio-pci, ascending.
std::vector<std::string> find_devices(machine::DeviceModel model) {
  const std::string wanted = model == machine::DeviceModel::edu ? "0x11e8" : "0x10c9";
  std::vector<std::string> found;
  std::error_code absent;
  for (const auto& each : std::filesystem::directory_iterator("/sys/bus/pci/drivers/vfio-pci", absent))
    if (first_word((each.path() / "device").c_str()) == wanted) found.push_back(each.path().filename().string());
  std::ranges::sort(found);
  return found;
}

/// A line of /proc/self/status, KiB.
std::uint64_t status_kib(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kib = 0;
    if (word == key && status >> kib) return kib;
  }
  return 0;
}

/// Reads a child's failures until it ends; a child that died says so.
void collect(int pipe_end, pid_t child, Report& report) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t count = 0; (count = ::read(pipe_end, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  ::close(pipe_end);
  int status = 0;
  ::waitpid(child, &status, 0);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) report.add(line);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) report.add("the child died: status " + std::to_string(status));
}

void write_failures(int fd, const Report& report) {
  for (const std::string& failure : report.failures()) {
    const std::string line = failure + "\n";
    if (::write(fd, line.data(), line.size()) < 0) ::_exit(2);
  }
}

class LinuxWorld final : public World {
 public:
  explicit LinuxWorld(std::string exec_image) : kernel_(os::linux_kernel()), exec_image_(std::move(exec_image)) {
    for (int number = 0; number < kHighestNumber; ++number)
      if (::fcntl(number, F_GETFD) >= 0) open_before_.insert(number);
    ::getrlimit(RLIMIT_NOFILE, &limit_before_);
  }

  ~LinuxWorld() override {
    ::setrlimit(RLIMIT_NOFILE, &limit_before_);
    set_capabilities(capabilities_before_);
    if (first_word(kDmaEntryLimit) != dma_entry_limit_before_) std::ofstream(kDmaEntryLimit) << dma_entry_limit_before_;
    for (int number = 0; number < kHighestNumber; ++number)
      if (!open_before_.contains(number)) ::close(number);
    for (const std::string& leaf : leaves_) ::unlink((scratch_ + "/" + leaf).c_str());
    if (!scratch_.empty()) ::rmdir(scratch_.c_str());
  }

  os::Kernel& kernel() override { return *kernel_; }

  bool has(Feature feature) override {
    switch (feature) {
      case Feature::none:
        return true;
      case Feature::exact_eventfd_write:
        return refuses_long_eventfd_write();
      case Feature::mfd_exec_flags:
        return first_word("/proc/sys/vm/memfd_noexec") == "0";
      case Feature::default_socket_buffer:
        return first_word("/proc/sys/net/core/wmem_default") == "212992";
      case Feature::large_memfd_writes:
        return is_linux_since(7, 2) && std::filesystem::exists("/sys/kernel/mm/transparent_hugepage");
      case Feature::vfio_devices:
        return find_devices(machine::DeviceModel::edu).size() >= 2 && !find_devices(machine::DeviceModel::igb).empty();
      case Feature::iommufd:
        return std::filesystem::exists("/dev/iommu") && has(Feature::vfio_devices);
      case Feature::kvm:
        return ::access("/dev/kvm", R_OK | W_OK) == 0;
    }
    return false;
  }

  // Through the kernel, which answers EFAULT where a plain access would end the test.
  bool load(os::UserAddr address, std::span<std::byte> bytes) override {
    iovec here{bytes.data(), bytes.size()};
    iovec there{reinterpret_cast<void*>(address.value()), bytes.size()};
    return ::process_vm_readv(::getpid(), &here, 1, &there, 1, 0) == static_cast<ssize_t>(bytes.size());
  }
  bool store(os::UserAddr address, std::span<const std::byte> bytes) override {
    std::vector<std::byte> copy(bytes.begin(), bytes.end());
    iovec here{copy.data(), copy.size()};
    iovec there{reinterpret_cast<void*>(address.value()), bytes.size()};
    return ::process_vm_writev(::getpid(), &here, 1, &there, 1, 0) == static_cast<ssize_t>(bytes.size());
  }

  void set_descriptor_limit(std::uint32_t limit) override {
    const rlimit changed{limit, limit_before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &changed);
  }

  void drop_privileges() override {
    Capabilities data = capabilities();
    data[0].effective &= ~((1u << CAP_SYS_RESOURCE) | (1u << CAP_SYS_ADMIN));
    set_capabilities(data);
  }

  void set_memlock(std::uint64_t limit, bool ipc_lock) override {
    const rlimit changed{limit, RLIM_INFINITY};
    ::setrlimit(RLIMIT_MEMLOCK, &changed);
    Capabilities data = capabilities();
    const std::uint32_t bit = 1u << CAP_IPC_LOCK;
    data[0].effective = ipc_lock ? data[0].effective | bit : data[0].effective & ~bit;
    set_capabilities(data);
  }
  std::uint64_t locked_kib() override { return status_kib("VmLck:"); }
  std::uint64_t pinned_kib() override { return status_kib("VmPin:"); }
  void set_dma_entry_limit(std::uint32_t limit) override { std::ofstream(kDmaEntryLimit) << limit; }

  HostDevice device(machine::DeviceModel model, unsigned index) override {
    const std::string address = find_devices(model).at(index);
    const std::filesystem::path device = std::filesystem::path("/sys/bus/pci/devices") / address;
    HostDevice found{address, "/dev/vfio/" + std::filesystem::read_symlink(device / "iommu_group").filename().string(),
                     ""};
    if (!std::filesystem::exists(device / "vfio-dev")) return found;
    for (const auto& node : std::filesystem::directory_iterator(device / "vfio-dev"))
      found.cdev = "/dev/vfio/devices/" + node.path().filename().string();
    return found;
  }

  std::string path(std::string_view leaf) override {
    if (scratch_.empty()) {
      std::array<char, 32> pattern{"/tmp/conformance.XXXXXX"};
      if (::mkdtemp(pattern.data()) != nullptr) scratch_ = pattern.data();
    }
    leaves_.insert(std::string(leaf));
    return scratch_ + "/" + std::string(leaf);
  }

  void in_child(const std::function<void(World&, Report&)>& body, Report& report) override {
    fork_and_collect(report, [&](int report_fd) {
      Report of_child;
      body(*this, of_child);
      write_failures(report_fd, of_child);
    });
  }

  void run_with_exec(const Case& each, Report& report) override {
    fork_and_collect(report, [&](int report_fd) {
      Report of_child;
      each.run(*this, of_child);
      write_failures(report_fd, of_child);
      const std::string id(each.id);
      const std::string number = std::to_string(report_fd);
      const std::array<const char*, 3> arguments{exec_image_.c_str(), id.c_str(), number.c_str()};
      Report of_exec;
      of_exec.expect("execve " + exec_image_, kernel_->execve(exec_image_.c_str(), arguments), 0);
      write_failures(report_fd, of_exec);
    });
  }

  void fill_numbers_below(int first) override {
    for (int number = 0; number < first; ++number)
      if (::fcntl(number, F_GETFD) < 0) ::dup2(open_before_.empty() ? 0 : *open_before_.begin(), number);
  }

 private:
  bool refuses_long_eventfd_write() {
    const auto fd = kernel_->eventfd(0, os::abi::efd_nonblock);
    const std::array<std::byte, 16> long_value{std::byte{1}};
    const bool refuses = fd && !kernel_->write(*fd, long_value);
    if (fd) (void)kernel_->close(*fd);
    return refuses;
  }

  template <class Body>
  void fork_and_collect(Report& report, Body body) {
    int ends[2];
    if (::pipe(ends) != 0) return report.add("pipe failed");
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(ends[1], kReportNumber);
      ::close(ends[0]);
      ::close(ends[1]);
      body(kReportNumber);
      ::_exit(0);
    }
    ::close(ends[1]);
    collect(ends[0], child, report);
  }

  std::unique_ptr<os::Kernel> kernel_;
  std::string exec_image_;
  std::set<int> open_before_;
  rlimit limit_before_{};
  Capabilities capabilities_before_ = capabilities();
  std::string dma_entry_limit_before_ = first_word(kDmaEntryLimit);
  std::string scratch_;
  std::set<std::string> leaves_;
};

}  // namespace

std::unique_ptr<World> linux_world(std::string exec_image) {
  return std::make_unique<LinuxWorld>(std::move(exec_image));
}

int carry_on_after_exec(std::string_view id, int report_fd) {
  const Case* found = find_case(id);
  if (found == nullptr || found->after_exec == nullptr) return 2;
  const auto world = linux_world({});
  Report report;
  found->after_exec(*world, report);
  write_failures(report_fd, report);
  return 0;
}

bool linux_is_privileged() {
  return (capabilities()[0].effective & ((1u << CAP_SYS_RESOURCE) | (1u << CAP_SYS_ADMIN))) != 0;
}

}  // namespace vcpr::conformance
