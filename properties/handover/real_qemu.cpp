#include "properties/handover/real_qemu.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdlib.h>
#include <unistd.h>

#include "engine/examples/demo_vm/guest.hpp"
#include "properties/handover/qemu_downtime.hpp"
#include "properties/handover/qemu_igb.hpp"
#include "properties/handover/qemu_log.hpp"
#include "properties/handover/qemu_process.hpp"
#include "properties/handover/qemu_rom.hpp"

namespace vcpr::live {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kVectors = 8;
constexpr std::chrono::milliseconds kAround{60};  // of load before and after
constexpr std::chrono::seconds kPatience{60};
// Ours is looked after four times as often, but has no logs that must be read.
constexpr std::chrono::microseconds kGlance{2000};

std::string last_words(const std::string& log) {
  constexpr std::size_t kEnough = 200;
  return log.substr(log.size() - std::min(log.size(), kEnough));
}

class Peer {
 public:
  Peer(const PeerTrial& trial, std::string program) : trial_(trial), program_(std::move(program)) {
    std::array<char, 32> name{"/tmp/vcpr-qemu-XXXXXX"};
    if (::mkdtemp(name.data()) != nullptr) folder_ = name.data();
  }
  ~Peer() {
    new_.reset();
    old_.reset();
    for (const char* leaf : {"/rom", "/qmp", "/qtest", "/old", "/new", "/cpr", "/main", "/file"})
      ::unlink((folder_ + leaf).c_str());
    ::rmdir(folder_.c_str());
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  Verdict run(Figures& figures);

 private:
  /// Empty, or what is wrong.
  using Wrong = std::string;

  Wrong start();
  Wrong start_guest();
  Wrong hand_over();
  bool call(const std::string& command);
  std::vector<std::string> command() const;
  std::vector<std::string> target() const;
  std::string parameters() const;
  std::string migrate() const;
  /// It leads to a socket named like its kind.
  std::string channel(const std::string& kind) const;
  /// Of the new side, which by exec is the same process.
  std::string new_log() { return new_ ? new_->log() : after_exec(old_->log()); }
  /// False when the patience or a process ends before it holds. The load goes on until then.
  template <class Condition>
  bool wait_until(const Condition& holds);

  const PeerTrial& trial_;
  std::string program_;
  std::string folder_;
  std::string address_;
  std::unique_ptr<QemuProcess> old_;
  std::unique_ptr<QemuProcess> new_;
  Lines qmp_;
  Lines qtest_;
  std::unique_ptr<GuestRam> ram_;
  std::unique_ptr<Board> board_;
  std::unique_ptr<Load> load_;
  std::optional<QemuDowntime> downtime_;
};

/// What both sides need.
std::vector<std::string> Peer::command() const {
  std::istringstream machine(
      "-accel kvm -cpu host -machine q35,aux-ram-share=on,memory-backend=ram0 -m 8M "
      "-object memory-backend-memfd,id=ram0,size=8M,share=on -nodefaults -display none");
  std::vector<std::string> words{program_, "-bios", folder_ + "/rom"};
  for (std::string word; machine >> word;) words.push_back(word);
  std::string device = "vfio-pci,addr=" + std::to_string(kQemuIgbSlot) + ",host=" + address_;
  if (trial_.iommufd) {
    words.insert(words.end(), {"-object", "iommufd,id=iommufd0"});
    device += ",iommufd=iommufd0";
  }
  words.insert(words.end(), {"-device", device});
  std::ranges::copy(qemu_log_arguments(), std::back_inserter(words));
  return words;
}

std::vector<std::string> Peer::target() const {
  std::vector<std::string> words = command();
  if (trial_.mode == Mode::exec) {
    words.insert(words.end(), {"-incoming", "file:" + folder_ + "/file"});
    return words;
  }
  words.insert(words.end(), {"-incoming", channel("cpr"), "-incoming", "unix:" + folder_ + "/main"});
  return words;
}

std::string Peer::parameters() const {
  if (trial_.mode == Mode::transfer)
    return R"({"execute":"migrate-set-parameters","arguments":{"mode":"cpr-transfer"}})";
  std::string list;
  for (const std::string& word : target()) list += (list.empty() ? "\"" : ",\"") + word + "\"";
  return R"({"execute":"migrate-set-parameters","arguments":{"mode":"cpr-exec","cpr-exec-command":[)" + list + "]}}";
}

std::string Peer::channel(const std::string& kind) const {
  std::string text = R"({"channel-type":")" + kind;
  text += R"(","addr":{"transport":"socket","type":"unix","path":")" + folder_ + "/";
  return text += kind + "\"}}";
}

std::string Peer::migrate() const {
  if (trial_.mode == Mode::exec) return R"({"execute":"migrate","arguments":{"uri":"file:)" + folder_ + "/file\"}}";
  return R"({"execute":"migrate","arguments":{"channels":[)" + channel("main") + "," + channel("cpr") + "]}}";
}

bool Peer::call(const std::string& command) {
  qmp_.tell(command);
  return qmp_.listen({R"("return")", R"("error")"}).find(R"("return")") != std::string::npos;
}

template <class Condition>
bool Peer::wait_until(const Condition& holds) {
  const auto until = Clock::now() + kPatience;
  while (!holds()) {
    if (Clock::now() > until || old_->has_ended() || (new_ && new_->has_ended())) return false;
    if (load_) load_->turn();
    (void)qmp_.peek(kGlance);
  }
  return true;
}

Peer::Wrong Peer::start() {
  const std::vector<std::string> boards = find_boards(Model::igb);
  if (boards.empty()) return "no igb bound to vfio-pci";
  address_ = boards.front();
  const std::vector<std::byte> rom = qemu_rom();
  std::ofstream(folder_ + "/rom", std::ios::binary)
      .write(reinterpret_cast<const char*>(rom.data()), static_cast<std::streamsize>(rom.size()));
  std::vector<std::string> words = command();
  words.insert(words.end(), {"-S", "-qmp", "unix:" + folder_ + "/qmp,server=on,wait=off", "-qtest",
                             "unix:" + folder_ + "/qtest,server=on,wait=off", "-qtest-log", "/dev/null"});
  old_ = std::make_unique<QemuProcess>(words, folder_ + "/old");
  if (!wait_until([&] { return qmp_.connect(folder_ + "/qmp"); }) ||
      !wait_until([&] { return qtest_.connect(folder_ + "/qtest"); }) || !call(R"({"execute":"qmp_capabilities"})"))
    return "it does not start: " + last_words(old_->log());
  return start_guest();
}

Peer::Wrong Peer::start_guest() {
  const demo::GuestMap map = demo::guest_map();
  ram_ = GuestRam::of(old_->pid(), {map.counters, map.heartbeat, map.stamp, map.gap, map.sleeps, map.fault});
  if (!ram_) return "it has no RAM";
  demo::load_guest(std::as_writable_bytes(ram_->bytes()));
  if (!set_up_qemu_igb(qtest_, demo::kFirstDeviceVector, kVectors)) return "its igb is another";
  if (!call(R"({"execute":"cont"})")) return "it does not run";
  if (!wait_until([&] { return ram_->heartbeat() != 0; }))
    return "the guest's heart does not begin to beat: " + last_words(old_->log());
  board_ = Board::open(address_, Model::igb);
  if (!board_) return "the igb's registers cannot be mapped";
  board_->prepare(Interrupt::msix);
  load_ = std::make_unique<Load>(*ram_, std::vector{Source{board_.get(), demo::kFirstDeviceVector, kVectors}},
                                 Rhythm::exact);
  load_->run_for(kAround);
  return load_->trouble();
}

Peer::Wrong Peer::hand_over() {
  if (!call(parameters())) return "it does not know this mode";
  if (trial_.mode == Mode::transfer) {
    new_ = std::make_unique<QemuProcess>(target(), folder_ + "/new");
    if (!wait_until([&] { return ::access((folder_ + "/cpr").c_str(), F_OK) == 0; }))
      return "the new one does not wait: " + last_words(new_->log());
  }
  downtime_.emplace(*ram_, old_->pid());
  qmp_.tell(migrate());
  if (!wait_until([&] { return qmp_.peek({}).find(R"("STOP")") != std::string::npos; }))
    return "not stopped: " + last_words(old_->log());
  downtime_->mark();
  if (has_loaded(new_log())) downtime_->forget_mark();
  if (!wait_until([&] { return has_taken_over(new_log()); }))
    return "not handed over: " + last_words(old_->log()) + last_words(new_log());
  const std::uint64_t beats = ram_->heartbeat();
  if (!wait_until([&] { return ram_->heartbeat() > beats; })) return "the guest's heart stands still";
  load_->run_for(kAround);
  return load_->settle();
}

Verdict Peer::run(Figures& figures) {
  Wrong wrong = start();
  if (wrong.empty()) wrong = hand_over();
  if (!wrong.empty()) return {wrong, {}};
  figures.add(trial_.name(), qemu_times(old_->log(), new_log(), trial_.mode == Mode::exec,
                                        downtime_->measure((new_ ? new_ : old_)->pid())));
  return {{}, "raised " + std::to_string(load_->raised()) + ", delivered " + std::to_string(load_->delivered())};
}

}  // namespace

Trial PeerTrial::ours() const {
  return {.boards = {{Model::igb, Interrupt::msix, kVectors}}, .iommufd = iommufd, .hops = {mode}, .failure = {}};
}

std::string PeerTrial::name() const {
  return ours().machine() + (mode == Mode::transfer ? ", transfer" : ", exec") + ", real QEMU";
}

Verdict run_peer(const PeerTrial& trial, const std::string& program, Figures& figures) {
  return Peer(trial, program).run(figures);
}

}  // namespace vcpr::live
