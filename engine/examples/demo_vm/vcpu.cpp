#include "engine/examples/demo_vm/vcpu.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace vcpr::demo {

namespace {

constexpr int kKick = SIGUSR1;
constexpr std::size_t kRunPage = 4096;  // kvm_run itself; what lies behind it is not used here

void nothing(int) {}

void install_kick() {
  struct sigaction action{};
  action.sa_handler = nothing;
  ::sigaction(kKick, &action, nullptr);
}

}  // namespace

Expected<void> Vcpu::attach(int fd, DeviceMemory& memory) {
  install_kick();
  void* const page = ::mmap(nullptr, kRunPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return refuse_os(static_cast<os::Errno>(errno), {"mmap of the vCPU"});
  page_ = static_cast<kvm_run*>(page);
  fd_ = fd;
  memory_ = &memory;
  auto wanted = kernel_.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (!wanted) return refuse_os(wanted.error(), {"eventfd of the vCPU"});
  wanted_ = os::Fd(kernel_, *wanted);
  loop_.watch(wanted_.number(), *this);
  return {};
}

void Vcpu::detach() {
  if (fd_ < 0) return;
  (void)pause();
  {
    const std::scoped_lock lock(mutex_);
    must_end_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (wanted_) loop_.unwatch(wanted_.number());
  wanted_.reset();
  if (page_ != nullptr) ::munmap(page_, kRunPage);
  page_ = nullptr;
  fd_ = -1;
}

/// Accesses are served while it waits: the thread cannot park in the middle of one.
Expected<void> Vcpu::pause() {
  std::unique_lock lock(mutex_);
  may_run_ = false;
  while (state_ == State::running || state_ == State::accessing) {
    serve();
    kick();
    changed_.wait_for(lock, std::chrono::milliseconds(1));
  }
  return {};
}

Expected<void> Vcpu::resume() {
  if (fd_ < 0) return {};
  {
    const std::scoped_lock lock(mutex_);
    if (trouble_) return std::unexpected(*trouble_);
    may_run_ = true;
    std::atomic_ref(page_->immediate_exit).store(0);
  }
  if (!thread_.joinable()) thread_ = std::thread(&Vcpu::run, this);
  changed_.notify_all();
  return {};
}

std::optional<Error> Vcpu::trouble() {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

void Vcpu::ready(int) {
  std::array<std::byte, 8> count{};
  (void)kernel_.read(wanted_.number(), count);
  const std::scoped_lock lock(mutex_);
  serve();
}

void Vcpu::serve() {
  if (state_ != State::accessing) return;
  const std::span<unsigned char> data(page_->mmio.data, page_->mmio.len);
  if (page_->mmio.is_write != 0)
    memory_->write(page_->mmio.phys_addr, std::as_bytes(data));
  else
    memory_->read(page_->mmio.phys_addr, std::as_writable_bytes(data));
  state_ = State::running;
  changed_.notify_all();
}

void Vcpu::kick() {
  std::atomic_ref(page_->immediate_exit).store(1);
  if (thread_.joinable()) ::pthread_kill(thread_.native_handle(), kKick);
}

// The vCPU's thread

void Vcpu::run() {
  std::unique_lock lock(mutex_);
  while (!must_end_) {
    if (!may_run_ || trouble_) {
      state_ = State::parked;
      changed_.notify_all();
      changed_.wait(lock, [this] { return must_end_ || (may_run_ && !trouble_); });
      continue;
    }
    state_ = State::running;
    // What the guest read reaches its register only when it is entered again, if only to leave at once.
    while (enter(lock)) access(lock);
  }
}

/// True when the guest left for an access to device memory.
bool Vcpu::enter(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const int error = ::ioctl(fd_, KVM_RUN, nullptr) < 0 ? errno : 0;
  lock.lock();
  if (error == EINTR) return false;
  if (error == 0 && page_->exit_reason == KVM_EXIT_MMIO) return true;
  if (error != 0)
    trouble_ = refuse_os(static_cast<os::Errno>(error), {"KVM_RUN"}).error();
  else
    trouble_ = refuse(ErrorCode::bad_state, {"the vCPU left for reason ", Decimal(page_->exit_reason)}).error();
  return false;
}

void Vcpu::access(std::unique_lock<std::mutex>& lock) {
  state_ = State::accessing;
  changed_.notify_all();
  const std::uint64_t one = 1;
  (void)!::write(wanted_.number(), &one, sizeof one);
  changed_.wait(lock, [this] { return state_ != State::accessing; });
}

}  // namespace vcpr::demo
