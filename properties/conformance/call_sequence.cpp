#include "properties/conformance/call_sequence.hpp"

#include <algorithm>
#include <array>

#include "properties/conformance/steps.hpp"
#include "properties/forms/choice.hpp"

namespace vcpr::conformance {

namespace {

constexpr std::array<std::string_view, 37> kOpNames = {
    "eventfd",   "memfd_create", "open_link", "socket",    "socketpair", "bind",        "listen",        "accept",
    "connect",   "unlink",       "shutdown",  "close",     "dup",        "dup_cloexec", "set_fd",        "get_fd",
    "set_flags", "get_flags",    "add_seals", "get_seals", "read",       "write",       "write_counter", "pread",
    "pwrite",    "lseek",        "ftruncate", "fstat",     "send",       "receive",     "poll",          "mmap",
    "munmap",    "mprotect",     "load",      "store",     "set_limit"};
static_assert(kOpNames.size() == static_cast<std::size_t>(Op::set_limit) + 1);

constexpr std::uint32_t kFirstLimit = 200;
constexpr std::uint32_t kWindowPages = 8;
constexpr std::uint64_t kWindow = 0x2000'0000'0000;  // where nothing else is mapped

class Random {
 public:
  explicit Random(std::uint64_t seed) : choice_(seed) {}
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(choice_.next() >> 16) % bound; }
  template <class Value, std::size_t n>
  Value pick(const std::array<Value, n>& values) {
    return values[below(n)];
  }

 private:
  forms::Choice choice_;
};

/// What a sequence is mostly about, and on how few numbers, so that its calls meet each other's work.
struct Theme {
  std::span<const std::pair<Op, int>> opening;  ///< calls and their descriptors, with operands of 0
  std::span<const Op> favoured;
  std::uint32_t numbers;
};

constexpr std::array kAnything = {Op::eventfd, Op::memfd_create, Op::socketpair, Op::socketpair, Op::send,
                                  Op::send,    Op::send,         Op::receive,    Op::receive,    Op::receive,
                                  Op::read,    Op::write,        Op::poll,       Op::close,      Op::mmap};
constexpr std::array kConnections = {Op::socket,  Op::socket, Op::bind,   Op::listen,  Op::connect, Op::connect,
                                     Op::connect, Op::accept, Op::accept, Op::accept,  Op::send,    Op::send,
                                     Op::receive, Op::poll,   Op::close,  Op::shutdown};
constexpr std::array kMemory = {Op::memfd_create, Op::ftruncate, Op::ftruncate, Op::mmap,  Op::mmap,     Op::mmap,
                                Op::munmap,       Op::mprotect,  Op::mprotect,  Op::load,  Op::load,     Op::load,
                                Op::store,        Op::store,     Op::pwrite,    Op::pread, Op::add_seals};
constexpr int kFirstOwn = kFirstNumber + kCarrierEnds;
constexpr std::array kListener = {std::pair{Op::socket, 0}, std::pair{Op::bind, kFirstOwn},
                                  std::pair{Op::listen, kFirstOwn}};
constexpr std::array kFile = {std::pair{Op::memfd_create, 0}};
constexpr std::array kThemes = {Theme{{}, kAnything, 18}, Theme{kListener, kConnections, 8}, Theme{kFile, kMemory, 6}};

int any_number(Random& random, const Theme& theme) {
  if (random.below(40) == 0) return random.pick(std::array{-1, 500, 1000000});
  return kFirstNumber + static_cast<int>(random.below(theme.numbers));
}

constexpr std::array<std::uint32_t, 12> kSizes = {0, 1, 3, 8, 16, 100, 4095, 4096, 4097, 8192, 20000, 70000};
constexpr std::array<std::uint32_t, 9> kControlSizes = {0, 15, 16, 20, 24, 28, 32, 40, 100};

/// Operands of the calls that make or address something.
void choose_operands(Random& random, Step& step) {
  switch (step.op) {
    case Op::eventfd:
      step.a = random.pick(std::array{0u, 1u, 5u, 0xffffffffu});
      step.b = random.pick(std::array{0u, 1u, 1u, 0x10u});
      return;
    case Op::memfd_create:
      step.a = random.pick(std::array<std::uint32_t, 6>{0, 1, 2, 3, 2, 0x8000});
      return;
    case Op::dup:
    case Op::dup_cloexec:
      step.a = static_cast<std::uint32_t>(random.pick(std::array{0, kFirstNumber, kFirstNumber + 10, -1, 2000}));
      return;
    case Op::add_seals:
      step.a = random.pick(std::array<std::uint32_t, 9>{0, 1, 2, 4, 6, 8, 16, 0x10, 0x100});
      return;
    case Op::lseek:
    case Op::ftruncate:
      step.a = random.pick(kSizes);
      step.b = random.below(4);
      return;
    case Op::mmap:
      step.a = random.below(kWindowPages);
      step.b = random.below(0x10000);
      return;
    case Op::set_limit:
      step.a = kFirstNumber + kCarrierEnds + random.below(60);
      return;
    default:
      step.a = random.pick(kSizes);
      step.b = random.below(0x10000);
  }
}

void choose_descriptors(Random& random, const Theme& theme, Step& step) {
  step.b = random.pick(std::array<std::uint32_t, 3>{0, 0, 1});
  if (random.below(2) == 0) return;
  for (std::uint32_t left = 1 + random.below(4); left > 0; --left) step.fds.push_back(any_number(random, theme));
}

}  // namespace

Sequence generate_sequence(std::uint64_t seed, std::size_t length) {
  Random random(seed);
  const Theme& theme = kThemes[seed % kThemes.size()];
  Sequence sequence;
  for (const auto& [op, fd] : theme.opening) sequence.push_back({op, fd, 0, 0, {}});
  while (sequence.size() < length) {
    Step step;
    const bool favoured = random.below(4) != 0;
    step.op = favoured ? theme.favoured[random.below(static_cast<std::uint32_t>(theme.favoured.size()))]
                       : static_cast<Op>(random.below(kOpNames.size()));
    step.fd = any_number(random, theme);
    choose_operands(random, step);
    if (step.op == Op::send) choose_descriptors(random, theme, step);
    sequence.push_back(std::move(step));
  }
  return sequence;
}

std::string print(const Step& step) {
  std::string line(kOpNames[static_cast<std::size_t>(step.op)]);
  line += "(" + std::to_string(step.fd) + ", " + std::to_string(step.a) + ", " + std::to_string(step.b);
  for (const int fd : step.fds) line += " fd " + std::to_string(fd);
  return line + ")";
}

namespace {

/// Runs the steps of one sequence on one side.
class Player {
 public:
  explicit Player(World& world) : world_(world), k_(world.kernel()) {
    world.fill_numbers_below(kFirstNumber);
    world.set_descriptor_limit(kFirstLimit);
    (void)k_.socketpair(abi::af_unix, kNonBlockingStream, 0);
  }

  std::string play(const Step& step) {
    if (is_of_files(step.op)) return play_file(step);
    if (is_of_memory(step.op)) return play_memory(step);
    return play_socket(step);
  }

 private:
  static bool is_of_files(Op op) { return op <= Op::open_link || (op >= Op::close && op <= Op::fstat); }
  static bool is_of_memory(Op op) { return op >= Op::mmap; }
  static bool is_carrier(int fd) { return fd >= kFirstNumber && fd < kFirstNumber + kCarrierEnds; }

  static std::string pattern(std::uint32_t size, std::uint32_t seed) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + seed) % 26);
    return text;
  }
  static std::string told(Outcome outcome, std::string_view bytes = {}) {
    std::uint64_t digest = 0;
    for (const char each : bytes) digest = digest * 31 + static_cast<unsigned char>(each);
    return text_of(outcome) + (bytes.empty() ? "" : " bytes " + std::to_string(digest));
  }

  std::string play_file(const Step& step) {
    switch (step.op) {
      case Op::eventfd:
        return told(outcome(k_.eventfd(step.a, static_cast<int>(step.b) | abi::efd_nonblock)));
      case Op::memfd_create:
        return told(outcome(k_.memfd_create("sequence", step.a)));
      case Op::open_link: {
        const std::string link = "/proc/self/fd/" + std::to_string(step.fd);
        return told(outcome(k_.open(link.c_str(), static_cast<int>(step.b % 3) | abi::o_nonblock)));
      }
      case Op::close:
        return is_carrier(step.fd) ? "kept" : told(outcome(k_.close(step.fd)));
      case Op::read:
      case Op::pread:
        return play_read(step);
      case Op::write:
        return told(write_text(k_, step.fd, pattern(step.a, step.b)));
      case Op::write_counter:
        return told(write_counter(k_, step.fd, step.b % 4 == 0 ? ~std::uint64_t{1} : step.b));
      case Op::pwrite: {
        const std::string text = pattern(step.a, step.b);
        return told(outcome(k_.pwrite(step.fd, std::as_bytes(std::span(text)), step.b)));
      }
      case Op::lseek:
        return told(outcome(k_.lseek(step.fd, static_cast<std::int64_t>(step.a) - 100, static_cast<int>(step.b % 3))));
      case Op::ftruncate:
        return told(outcome(k_.ftruncate(step.fd, step.a)));
      case Op::fstat:
        return play_fstat(step);
      default:
        return play_fcntl(step);
    }
  }

  std::string play_fcntl(const Step& step) {
    const auto argument = static_cast<std::int64_t>(static_cast<std::int32_t>(step.a));
    // Blocking descriptors would end the run on Linux, so O_NONBLOCK stays
    const int flags = abi::o_nonblock | (step.b % 4 == 0 ? abi::o_append : 0);
    switch (step.op) {
      case Op::dup:
        return told(outcome(k_.fcntl(step.fd, abi::f_dupfd, argument)));
      case Op::dup_cloexec:
        return told(outcome(k_.fcntl(step.fd, abi::f_dupfd_cloexec, argument)));
      case Op::set_fd:
        return told(outcome(k_.fcntl(step.fd, abi::f_setfd, step.b % 2)));
      case Op::get_fd:
        return told(outcome(k_.fcntl(step.fd, abi::f_getfd, 0)));
      case Op::set_flags:
        return told(outcome(k_.fcntl(step.fd, abi::f_setfl, flags)));
      case Op::get_flags:
        return told(outcome(k_.fcntl(step.fd, abi::f_getfl, 0)));
      case Op::add_seals:
        return told(outcome(k_.fcntl(step.fd, abi::f_add_seals, argument)));
      default:
        return told(outcome(k_.fcntl(step.fd, abi::f_get_seals, 0)));
    }
  }

  std::string play_read(const Step& step) {
    std::string buffer(step.a, '\0');
    const auto bytes = std::as_writable_bytes(std::span(buffer));
    const auto count = step.op == Op::read ? k_.read(step.fd, bytes) : k_.pread(step.fd, bytes, step.b);
    return told(outcome(count), std::string_view(buffer).substr(0, count.value_or(0)));
  }

  std::string play_fstat(const Step& step) {
    const auto found = k_.fstat(step.fd);
    if (!found) return told(fails(found.error()));
    return "mode " + std::to_string(found->mode) + " size " + std::to_string(found->size);
  }

  std::string path(const Step& step) { return world_.path(std::string(1, static_cast<char>('a' + step.b % 3))); }

  std::string play_socket(const Step& step) {
    switch (step.op) {
      case Op::socket:
        return told(outcome(k_.socket(abi::af_unix, kNonBlockingStream, static_cast<int>(step.b % 3))));
      case Op::socketpair: {
        const auto pair = k_.socketpair(abi::af_unix, kNonBlockingStream, 0);
        return pair ? told(pair->first) + " " + told(pair->second) : told(fails(pair.error()));
      }
      case Op::bind:
        return told(outcome(k_.bind(step.fd, path(step))));
      case Op::listen:
        return told(outcome(k_.listen(step.fd, static_cast<int>(step.b % 3))));
      case Op::accept:
        return told(outcome(k_.accept4(step.fd, abi::sock_nonblock)));
      case Op::connect:
        return told(outcome(k_.connect(step.fd, path(step))));
      case Op::unlink:
        return told(outcome(k_.unlink(path(step).c_str())));
      case Op::shutdown:
        return is_carrier(step.fd) ? "kept" : told(outcome(k_.shutdown(step.fd, static_cast<int>(step.b % 4))));
      case Op::send:
        return play_send(step);
      case Op::receive:
        return play_receive(step);
      default:
        return told(events(k_, step.fd));
    }
  }

  bool is_socket(int fd) {
    const auto found = k_.fstat(fd);
    return found && (found->mode & abi::s_ifmt) == abi::s_ifsock;
  }

  std::string play_send(const Step& step) {
    std::vector<int> fds = step.fds;
    if (!is_carrier(step.fd)) std::erase_if(fds, [&](int fd) { return is_socket(fd); });
    std::erase_if(fds, is_carrier);
    return told(send(k_, step.fd, pattern(step.a, step.b), fds));
  }

  std::string play_receive(const Step& step) {
    const int flags = (step.b % 5 == 0 ? abi::msg_peek : 0) | (step.b % 3 == 0 ? abi::msg_cmsg_cloexec : 0);
    const Arrived arrived = receive(k_, step.fd, step.a, kControlSizes[step.b % kControlSizes.size()], flags);
    std::string line = told(arrived.bytes, arrived.text);
    for (const int fd : arrived.fds) line += " fd " + std::to_string(fd);
    return line + (arrived.truncated ? " truncated" : "");
  }

  os::UserAddr page(std::uint32_t index) { return os::UserAddr(kWindow + index % kWindowPages * kPage); }

  std::string play_memory(const Step& step) {
    const std::uint64_t length = (1 + step.b % 3) * kPage;
    const int protection = static_cast<int>(step.b / 4 % 4);
    std::byte byte{static_cast<unsigned char>(step.b)};
    const os::UserAddr address = page(step.a / 7);
    switch (step.op) {
      case Op::mmap: {
        const int kind = step.b % 5 == 0 ? abi::map_private : abi::map_shared;
        const int fixed = step.b % 7 == 0 ? abi::map_fixed_noreplace : abi::map_fixed;
        return told(outcome(k_.mmap(page(step.a), length, protection, kind | fixed, step.fd, step.b / 16 % 3 * kPage)));
      }
      case Op::munmap:
        return told(outcome(k_.munmap(address, length)));
      case Op::mprotect:
        return told(outcome(k_.mprotect(address, length, protection)));
      case Op::load: {
        const bool loaded = world_.load(address + step.b % kPage, {&byte, 1});
        return loaded ? std::to_string(static_cast<int>(byte)) : "fault";
      }
      case Op::store:
        return world_.store(address + step.b % kPage, {&byte, 1}) ? "stored" : "fault";
      default:
        world_.set_descriptor_limit(step.a);
        return "set";
    }
  }

  World& world_;
  os::Kernel& k_;
};

}  // namespace

std::vector<std::string> run_sequence(const Sequence& sequence, World& world) {
  std::vector<std::string> told;
  Player player(world);
  for (const Step& step : sequence) told.push_back(player.play(step));
  (void)world.kernel().munmap(os::UserAddr(kWindow), std::uint64_t{2} * kWindowPages * kPage);
  return told;
}

}  // namespace vcpr::conformance
