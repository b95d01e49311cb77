#include "properties/conformance/device_players.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/os/abi/vfio.hpp"
#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

namespace {

namespace request = abi::request;

constexpr int kFirstNumber = 64;  // lower ones are filled on both sides, so that numbers can be compared
constexpr int kOpenFlags = abi::o_rdwr | abi::o_cloexec;
constexpr std::uint64_t kWindow = 0x2000'0000'0000;  // where nothing else is mapped
constexpr std::uint64_t kWindowPages = 16;
constexpr std::uint64_t kIova = 0x100000;
constexpr std::uint64_t kMsiWindow = 0xfee00000;

template <class Argument>
Outcome call(os::Kernel& k, int fd, std::uint64_t code, Argument& argument) {
  return outcome(k.ioctl(fd, code, &argument));
}
Outcome call_by_value(os::Kernel& k, int fd, std::uint64_t code, std::uint64_t value = 0) {
  return outcome(k.ioctl(fd, code, reinterpret_cast<void*>(static_cast<std::uintptr_t>(value))));
}

/// Mostly whole pages at few places, so that calls meet each other's work; sometimes what is refused.
std::uint64_t some_iova(std::uint32_t choice) {
  if (choice % 61 == 0) return kMsiWindow;
  if (choice % 67 == 0) return ~std::uint64_t{0} - kPage + 1;
  return kIova + choice % 12 * kPage + (choice % 53 == 0 ? 0x10 : 0);
}
std::uint64_t some_length(std::uint32_t choice) {
  if (choice % 59 == 0) return 0;
  if (choice % 47 == 0) return 100;
  return (1 + choice % 5) * kPage;
}
std::uint64_t some_vaddr(std::uint32_t choice) {
  if (choice % 43 == 0) return 0x10000;
  return kWindow + choice % kWindowPages * kPage;
}

/// One side under a sequence. Each theme has a player of its own.
class Player {
 public:
  explicit Player(World& world) : here(world), k(world.kernel()) { world.fill_numbers_below(kFirstNumber); }
  virtual ~Player() = default;
  virtual std::string play(const DeviceCall& call) = 0;

 protected:
  std::string told(Outcome outcome) const { return text_of(outcome); }
  std::string with_accounts(const std::string& line) {
    return line + " locked " + std::to_string(here.locked_kib()) + " pinned " + std::to_string(here.pinned_kib());
  }
  /// Plays in a forked child when the choice says so: another owner of what is mapped.
  template <class Body>
  std::string here_or_in_child(bool in_child, Body body) {
    if (!in_child) return body(here);
    Report lines;
    here.in_child([&](World& child, Report& of_child) { of_child.add("child " + body(child)); }, lines);
    return lines.failures().empty() ? "child silent" : lines.failures().front();
  }
  void map_window() {
    window_file = k.memfd_create("window", abi::mfd_cloexec).value_or(-1);
    (void)k.ftruncate(window_file, kWindowPages * kPage);
    place(0, kWindowPages);
  }
  Outcome place(std::uint64_t first, std::uint64_t pages) {
    return outcome(k.mmap(os::UserAddr(kWindow + first * kPage), pages * kPage, abi::prot_read | abi::prot_write,
                          abi::map_shared | abi::map_fixed, window_file, first * kPage));
  }
  void make_events() {
    for (int& each : counters) each = make_eventfd(k, 0);
  }
  int event(std::uint32_t choice) const { return counters[choice % counters.size()]; }
  std::string play_counter(const DeviceCall& step) {
    if (step.op == DeviceOp::read_counter) return told(read_counter(k, event(step.a)));
    return told(write_counter(k, event(step.a), step.b % 4));
  }

  /// Injecting and unmasking through an eventfd can wait for a worker of the kernel.
  void settle() { (void)k.poll({}, {k.now() + 2'000'000}); }

  World& here;
  os::Kernel& k;
  int window_file = -1;
  std::array<int, 4> counters{};
};

/// A container with the group of a device.
struct Container {
  Container(World& world, const HostDevice& device) {
    os::Kernel& k = world.kernel();
    fd = k.open("/dev/vfio/vfio", kOpenFlags).value_or(-1);
    group = k.open(device.group.c_str(), kOpenFlags).value_or(-1);
    (void)call(k, group, request::vfio_group_set_container, fd);
    (void)call_by_value(k, fd, request::vfio_set_iommu, abi::vfio_type1v2_iommu);
  }
  int fd = -1;
  int group = -1;
};

class Type1Player final : public Player {
 public:
  explicit Type1Player(World& world) : Player(world), container_(world, world.device(machine::DeviceModel::edu, 0)) {
    map_window();
    world.set_memlock(kWindowPages * kPage, false);
    second_group_ = k.open(world.device(machine::DeviceModel::edu, 1).group.c_str(), kOpenFlags).value_or(-1);
  }

  std::string play(const DeviceCall& step) override { return with_accounts(play_call(step)); }

 private:
  std::string play_call(const DeviceCall& step) {
    switch (step.op) {
      case DeviceOp::map:
        return told(map(here, step, step.c % 31 == 0 ? step.c % 8 : 1 + step.c % 3));
      case DeviceOp::map_vaddr:
        return here_or_in_child(step.c % 5 == 0, [&](World& side) {
          if (step.c % 10 == 0) side.set_memlock(2 * kPage, false);
          return told(map(side, step, abi::vfio_dma_map_flag_vaddr));
        });
      case DeviceOp::unmap:
        return unmap(step, step.c % 29 == 0 ? step.c % 16 : 0);
      case DeviceOp::unmap_vaddr:
        return unmap(step, abi::vfio_dma_unmap_flag_vaddr | (step.c % 2 == 0 ? abi::vfio_dma_unmap_flag_all : 0));
      case DeviceOp::dirty:
        return dirty(step);
      case DeviceOp::attach_group:
        return told(call(k, second_group_, request::vfio_group_set_container, container_.fd));
      case DeviceOp::detach_group:
        return told(call_by_value(k, second_group_, request::vfio_group_unset_container));
      case DeviceOp::memlock:
        here.set_memlock((4 + step.a % 28) * kPage, step.b % 8 == 0);
        return "set";
      default:
        if (step.c % 3 != 0) return told(place(step.a % 12, 4));
        return told(outcome(k.munmap(os::UserAddr(kWindow + step.a % 12 * kPage), 2 * kPage)));
    }
  }

  Outcome map(World& side, const DeviceCall& step, std::uint32_t flags) {
    abi::vfio_iommu_type1_dma_map argument{.argsz = sizeof argument,
                                           .flags = flags,
                                           .vaddr = some_vaddr(step.a),
                                           .iova = some_iova(step.b),
                                           .size = some_length(step.c / 8)};
    return call(side.kernel(), container_.fd, request::vfio_iommu_map_dma, argument);
  }

  std::string unmap(const DeviceCall& step, std::uint32_t flags) {
    const bool all = (flags & abi::vfio_dma_unmap_flag_all) != 0 && step.b % 7 != 0;
    std::uint64_t bitmap = 0;
    struct {
      abi::vfio_iommu_type1_dma_unmap unmap;
      abi::vfio_bitmap bitmap;
    } argument{{.argsz = sizeof argument,
                .flags = flags,
                .iova = all ? 0 : some_iova(step.a),
                .size = all ? 0 : some_length(step.b / 8) * (step.b % 3 == 0 ? 4 : 1)},
               {.pgsize = kPage, .size = sizeof bitmap, .data = &bitmap}};
    const Outcome done = call(k, container_.fd, request::vfio_iommu_unmap_dma, argument);
    return told(done) + " size " + std::to_string(argument.unmap.size) + " dirty " + std::to_string(bitmap);
  }

  std::string dirty(const DeviceCall& step) {
    std::uint64_t bitmap = 0;
    struct {
      abi::vfio_iommu_type1_dirty_bitmap head;
      abi::vfio_iommu_type1_dirty_bitmap_get get;
    } argument{{.argsz = sizeof argument, .flags = step.c % 23 == 0 ? step.c % 8 : 1u << step.c % 3},
               {.iova = some_iova(step.a),
                .size = some_length(step.b),
                .bitmap = {.pgsize = kPage, .size = sizeof bitmap, .data = &bitmap}}};
    const Outcome done = call(k, container_.fd, request::vfio_iommu_dirty_pages, argument);
    return told(done) + " dirty " + std::to_string(bitmap);
  }

  Container container_;
  int second_group_ = -1;
};

class IommufdPlayer final : public Player {
 public:
  explicit IommufdPlayer(World& world) : Player(world) {
    map_window();
    world.set_memlock(std::uint64_t{8} << 20, false);
    iommufd_ = k.open("/dev/iommu", kOpenFlags).value_or(-1);
    (void)play(DeviceCall{DeviceOp::ioas_alloc});
    (void)play(DeviceCall{DeviceOp::ioas_alloc});
    device_ = k.open(world.device(machine::DeviceModel::edu, 0).cdev.c_str(), kOpenFlags).value_or(-1);
    abi::vfio_device_bind_iommufd bind{.argsz = sizeof bind, .iommufd = iommufd_};
    (void)call(k, device_, request::vfio_device_bind_iommufd, bind);
  }

  std::string play(const DeviceCall& step) override { return with_accounts(play_call(step)); }

 private:
  static std::uint32_t id(std::uint32_t choice) { return choice % 4 == 0 ? choice / 4 % 8 : 1 + choice % 2; }
  static std::uint32_t map_flags(std::uint32_t choice) {
    return choice % 37 == 0 ? choice % 16 : 4 | (choice % 2) << 1 | (choice % 7 == 0 ? 0 : 1);
  }
  std::string with_value(Outcome done, std::uint64_t value) const {
    return done == 0 ? "0 value " + std::to_string(value) : told(done);
  }

  std::string play_call(const DeviceCall& step) {
    switch (step.op) {
      case DeviceOp::ioas_alloc: {
        abi::iommu_ioas_alloc argument{.size = sizeof argument};
        const Outcome done = call(k, iommufd_, request::iommu_ioas_alloc, argument);
        return with_value(done, argument.out_ioas_id);
      }
      case DeviceOp::ioas_map:
      case DeviceOp::ioas_map_file:
      case DeviceOp::ioas_copy:
      case DeviceOp::ioas_unmap:
        return play_mapping(step);
      case DeviceOp::destroy: {
        abi::iommu_destroy argument{.size = sizeof argument, .id = 1 + step.a % 8};
        return told(call(k, iommufd_, request::iommu_destroy, argument));
      }
      case DeviceOp::attach: {
        abi::vfio_device_attach_iommufd_pt argument{.argsz = 12, .pt_id = id(step.a)};
        const Outcome done = call(k, device_, request::vfio_device_attach_iommufd_pt, argument);
        return with_value(done, argument.pt_id);
      }
      case DeviceOp::detach: {
        abi::vfio_device_detach_iommufd_pt argument{.argsz = 8};
        return told(call(k, device_, request::vfio_device_detach_iommufd_pt, argument));
      }
      case DeviceOp::option: {
        abi::iommu_option argument{.size = sizeof argument,
                                   .option_id = step.a % 13 == 0 ? 9 : step.a % 2,
                                   .op = static_cast<std::uint16_t>(step.b % 2),
                                   .object_id = step.a % 2 == 0 ? 0 : id(step.b),
                                   .val64 = step.c % 3};
        const Outcome done = call(k, iommufd_, request::iommu_option, argument);
        return with_value(done, argument.val64);
      }
      default:
        return here_or_in_child(step.c % 2 == 0, [&](World& side) {
          abi::iommu_ioas_change_process argument{.size = sizeof argument};
          return told(call(side.kernel(), iommufd_, request::iommu_ioas_change_process, argument));
        });
    }
  }

  std::string play_mapping(const DeviceCall& step) {
    const std::uint64_t iova = some_iova(step.b);
    const std::uint64_t length = some_length(step.c / 8);
    if (step.op == DeviceOp::ioas_map) {
      abi::iommu_ioas_map argument{.size = sizeof argument,
                                   .flags = map_flags(step.c),
                                   .ioas_id = id(step.a),
                                   .user_va = some_vaddr(step.a / 8),
                                   .length = length,
                                   .iova = iova};
      const Outcome done = call(k, iommufd_, request::iommu_ioas_map, argument);
      return with_value(done, argument.iova);
    }
    if (step.op == DeviceOp::ioas_map_file) {
      abi::iommu_ioas_map_file argument{.size = sizeof argument,
                                        .flags = map_flags(step.c),
                                        .ioas_id = id(step.a),
                                        .fd = step.a % 41 == 0 ? 999 : window_file,
                                        .start = step.a / 8 % 14 * kPage,
                                        .length = length,
                                        .iova = iova};
      const Outcome done = call(k, iommufd_, request::iommu_ioas_map_file, argument);
      return with_value(done, argument.iova);
    }
    if (step.op == DeviceOp::ioas_copy) {
      abi::iommu_ioas_copy argument{.size = sizeof argument,
                                    .flags = map_flags(step.c),
                                    .dst_ioas_id = id(step.a),
                                    .src_ioas_id = id(step.a / 8),
                                    .length = length,
                                    .dst_iova = iova,
                                    .src_iova = some_iova(step.a)};
      const Outcome done = call(k, iommufd_, request::iommu_ioas_copy, argument);
      return with_value(done, argument.dst_iova);
    }
    const bool all = step.c % 11 == 0;
    abi::iommu_ioas_unmap argument{.size = sizeof argument,
                                   .ioas_id = id(step.a),
                                   .iova = all ? 0 : iova,
                                   .length = all ? ~std::uint64_t{0} : length * (step.c % 3 == 0 ? 4 : 1)};
    const Outcome done = call(k, iommufd_, request::iommu_ioas_unmap, argument);
    return with_value(done, argument.length);
  }

  int iommufd_ = -1;
  int device_ = -1;
};

class InterruptPlayer final : public Player {
 public:
  InterruptPlayer(World& world, bool on_igb)
      : Player(world),
        host_(world.device(on_igb ? machine::DeviceModel::igb : machine::DeviceModel::edu)),
        container_(world, host_),
        on_igb_(on_igb) {
    make_events();
    std::string name = host_.address;
    device_ = static_cast<int>(outcome(k.ioctl(container_.group, request::vfio_group_get_device_fd, name.data())));
    start_driver();
    lower_line();  // an edu cannot be reset: what the sequence before it left
  }

  std::string play(const DeviceCall& step) override {
    std::string line = play_call(step);
    if (has_unmask_event_ && step.op != DeviceOp::read_counter) settle();
    return line;
  }

 private:
  std::string play_call(const DeviceCall& step) {
    switch (step.op) {
      case DeviceOp::set_irqs:
        return told(set_irqs(step));
      case DeviceOp::raise:
        return told(raise(step.a % 3 != 0, 1 + step.b % 3));
      case DeviceOp::reset:
        return reset(step.a);
      default:
        return play_counter(step);
    }
  }

  struct IrqSet {
    abi::vfio_irq_set head;
    std::array<int, 8> fds{};
  };

  std::string reset(std::uint32_t choice) {
    if (choice % 8 != 0) return "left";  // a function reset takes the real device a tenth of a second
    const Outcome done = call_by_value(k, device_, request::vfio_device_reset);
    start_driver();
    return told(done);
  }

  /// Without this no message leaves the device: bus mastering, and the igb's causes, one a vector.
  void start_driver() {
    constexpr std::uint64_t kCommand = (std::uint64_t{abi::vfio_pci_config_region_index} << 40) + 4;
    constexpr std::uint16_t kMemoryAndMaster = 6;
    (void)k.pwrite(device_, std::as_bytes(std::span(&kMemoryAndMaster, 1)), kCommand);
    constexpr std::array<std::pair<std::uint64_t, std::uint32_t>, 3> kIgb{
        {{0x1514, 0x10}, {0x152c, 0x3ff}, {0x1524, 0x3ff}}};  // GPIE, EIAC, EIMS
    if (on_igb_)
      for (const auto& [offset, value] : kIgb) (void)write_register(offset, value);
  }

  /// Valid combinations mostly: few indices, both edges of a count, every kind of payload.
  Outcome set_irqs(const DeviceCall& step) {
    IrqSet argument;
    const bool odd = step.c % 17 == 0;
    const std::uint32_t index = odd ? step.a % 6 : on_igb_ ? step.a % 5 : std::array{0u, 1u, 4u}[step.a % 3];
    const std::uint32_t actions = std::array{8u, 0x10u, 0x20u, 0x20u, 0x20u, 0x20u}[step.c / 32 % 6];
    argument.head = {.argsz = sizeof(abi::vfio_irq_set) + 32,
                     .flags = odd ? step.b % 64 : (1u << step.b % 3) | actions,
                     .index = index,
                     .start = step.a / 8 % 7 == 0 ? step.a / 64 % 12 : 0,
                     .count = step.b / 4 % 5 == 0 ? 0 : 1 + step.b / 32 % (on_igb_ && index == 2 ? 4 : 1)};
    if ((argument.head.flags & abi::vfio_irq_set_data_eventfd) != 0) {
      for (std::size_t i = 0; i < argument.fds.size(); ++i) {
        const std::uint32_t choice = step.c / 4 + static_cast<std::uint32_t>(i) * 7;
        argument.fds[i] = choice % 6 == 0 ? -1 : choice % 31 == 0 ? 999 : event(choice);
      }
    } else {
      argument.fds.fill(0x01010101 & ~(1 << step.c % 4 * 8));  // bools
    }
    return argument.head.index == abi::vfio_pci_intx_irq_index ? set_intx(argument) : set(argument);
  }

  Outcome set(IrqSet& argument) { return call(k, device_, request::vfio_device_set_irqs, argument); }

  /// A trigger that is its own unmask eventfd keeps Linux's workers busy for as long as the line is up, and what comes
  /// of another call meanwhile is a race: nobody is asked for it.
  Outcome set_intx(IrqSet& argument) {
    constexpr std::uint32_t kTrigger = abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_trigger;
    constexpr std::uint32_t kUnmask = abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_unmask;
    constexpr std::uint32_t kDisable = abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_trigger;
    const std::uint32_t flags = argument.head.flags;
    int& fd = argument.fds.front();
    if (fd == (flags == kTrigger ? unmask_ : flags == kUnmask ? trigger_ : -1)) fd = -1;
    if (flags == kTrigger && !line_requested_) lower_line();
    const Outcome done = set(argument);
    if (done != 0) return done;
    if (flags == kTrigger) {
      line_requested_ = true;
      trigger_ = fd;
    } else if (flags == kUnmask) {
      unmask_ = fd;
      has_unmask_event_ = true;
    } else if (flags == kDisable && argument.head.count == 0) {
      line_requested_ = false;
      trigger_ = unmask_ = -1;
    }
    return done;
  }

  /// The IOAPIC of QEMU's board (hw/intc/ioapic.c) forgets a level that rose before Linux asked for the interrupt,
  /// while its entry was masked and of an edge; a real one shows it, and so does the machine: what INTx is enabled on
  /// is low.
  void lower_line() {
    constexpr std::uint32_t kAll = ~std::uint32_t{0};
    if (!on_igb_) (void)raise(false, kAll);
  }

  /// Through a register: edu sets or acknowledges causes, igb raises its vectors.
  Outcome raise(bool sets, std::uint32_t causes) {
    constexpr std::uint64_t kEduRaise = 0x60;
    constexpr std::uint64_t kEduAcknowledge = 0x64;
    constexpr std::uint64_t kIgbEics = 0x1520;
    const std::uint64_t offset = on_igb_ ? kIgbEics : sets ? kEduRaise : kEduAcknowledge;
    return write_register(offset, causes);
  }

  Outcome write_register(std::uint64_t offset, std::uint32_t value) {
    return outcome(k.pwrite(device_, std::as_bytes(std::span(&value, 1)), offset));
  }

  HostDevice host_;
  Container container_;
  bool on_igb_;
  bool line_requested_ = false;    // INTx is enabled
  bool has_unmask_event_ = false;  // or had one
  int trigger_ = -1;               // of INTx
  int unmask_ = -1;
  int device_ = -1;
};

class IrqfdPlayer final : public Player {
 public:
  explicit IrqfdPlayer(World& world) : Player(world) {
    make_events();
    const int kvm = k.open("/dev/kvm", kOpenFlags).value_or(-1);
    for (Vm& vm : vms_) {
      vm.fd = static_cast<int>(call_by_value(k, kvm, request::kvm_create_vm));
      (void)call_by_value(k, vm.fd, request::kvm_create_irqchip);
      vm.vcpu = static_cast<int>(call_by_value(k, vm.fd, request::kvm_create_vcpu));
      clear_requests(vm);
      (void)route(vm, 4, kFirstVector);
    }
  }

  std::string play(const DeviceCall& step) override {
    Vm& vm = vms_[step.c % 2];
    switch (step.op) {
      case DeviceOp::assign:
        return told(irqfd(vm, step, step.b % 37 == 0 ? 8 : 0));
      case DeviceOp::deassign:
        return told(irqfd(vm, step, abi::kvm_irqfd_flag_deassign));
      case DeviceOp::route:
        return told(route(vm, step.a % 5, kFirstVector + step.b % 2 * 8));
      case DeviceOp::signal_msi: {
        abi::kvm_msi msi{.address_lo = kMessageAddress + (step.a % 5 == 0 ? 0x7000 : 0),
                         .data = kFirstVector + step.b % 16,
                         .flags = step.a % 19 == 0 ? 2u : 0u};
        return told(call(k, vm.fd, request::kvm_signal_msi, msi));
      }
      case DeviceOp::requested:
        return requests(vm, step.a % 2 == 0);
      case DeviceOp::write_counter: {
        const std::string line = play_counter(step);
        settle();
        return line;
      }
      default:
        return play_counter(step);
    }
  }

 private:
  static constexpr std::uint32_t kMessageAddress = 0xfee00000;
  static constexpr std::uint32_t kFirstGsi = 24;
  static constexpr std::uint32_t kFirstVector = 0x50;
  static constexpr std::size_t kSpurious = 0xf0;
  static constexpr std::size_t kRequested = 0x200;

  struct Vm {
    int fd = -1;
    int vcpu = -1;
  };

  Outcome irqfd(const Vm& vm, const DeviceCall& step, std::uint32_t flags) {
    abi::kvm_irqfd argument{.fd = static_cast<std::uint32_t>(step.a % 23 == 0 ? -1 : event(step.a)),
                            .gsi = kFirstGsi + step.b % 5,
                            .flags = flags};
    const Outcome done = call(k, vm.fd, request::kvm_irqfd, argument);
    settle();
    return done;
  }

  Outcome route(const Vm& vm, std::uint32_t count, std::uint32_t vector) {
    struct {
      abi::kvm_irq_routing head;
      std::array<abi::kvm_irq_routing_entry, 4> entries{};
    } table{};
    table.head.nr = count;
    for (std::uint32_t i = 0; i < 4; ++i) {
      abi::kvm_irq_routing_entry& entry = table.entries[i];
      entry.gsi = kFirstGsi + i;
      entry.type = abi::kvm_irq_routing_msi_id;
      entry.u.msi = {};
      entry.u.msi.address_lo = kMessageAddress;
      entry.u.msi.data = vector + i;
    }
    if (count > 4) table.head = {.nr = 1, .flags = 1};
    return call(k, vm.fd, request::kvm_set_gsi_routing, table);
  }

  void clear_requests(const Vm& vm) {
    constexpr std::uint32_t kEnabled = 0x1ff;
    abi::kvm_lapic_state state;
    (void)call(k, vm.vcpu, request::kvm_get_lapic, state);
    std::memset(state.regs + kRequested, 0, 0x80);
    std::memcpy(state.regs + kSpurious, &kEnabled, sizeof kEnabled);
    (void)call(k, vm.vcpu, request::kvm_set_lapic, state);
  }

  /// The vectors 0x40 to 0x5f that are requested, as a mask.
  std::string requests(const Vm& vm, bool clears) {
    constexpr std::size_t kWord = kRequested + std::size_t{0x40} / 32 * 0x10;
    abi::kvm_lapic_state state;
    const Outcome done = call(k, vm.vcpu, request::kvm_get_lapic, state);
    std::uint32_t mask = 0;
    std::memcpy(&mask, state.regs + kWord, sizeof mask);
    if (clears) clear_requests(vm);
    return told(done) + " requested " + std::to_string(mask);
  }

  std::array<Vm, 2> vms_{};
};

template <class Kind, class... Arguments>
void play_all(const DeviceSequence& sequence, Report& lines, Arguments&&... arguments) {
  Kind player(arguments...);
  for (const DeviceCall& each : sequence.calls) lines.add(player.play(each));
}

}  // namespace

void play_device_sequence(const DeviceSequence& sequence, World& world, Report& lines) {
  switch (sequence.theme) {
    case DeviceTheme::type1:
      return play_all<Type1Player>(sequence, lines, world);
    case DeviceTheme::iommufd:
      return play_all<IommufdPlayer>(sequence, lines, world);
    case DeviceTheme::interrupts:
      return play_all<InterruptPlayer>(sequence, lines, world, sequence.on_igb);
    case DeviceTheme::irqfds:
      return play_all<IrqfdPlayer>(sequence, lines, world);
  }
}

}  // namespace vcpr::conformance
