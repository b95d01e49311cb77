#include "properties/handover/trial.hpp"

#include <array>
#include <memory>
#include <sstream>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vcpr::live {

namespace {

constexpr std::uint32_t kFirstVector = 0x40;
constexpr std::uint32_t kVectorsOfABoard = 16;
constexpr std::uint32_t kMark = 0x400000;  // a page of guest memory that nobody touches
constexpr std::size_t kMarkBytes = 4096;
constexpr std::chrono::milliseconds kAround{60};  // of load before and after each handover
constexpr std::chrono::milliseconds kGlance{1};
constexpr std::chrono::seconds kPatience{10};

std::string text(const BoardUse& use) {
  std::string name = use.model == Model::edu ? "edu" : "igb";
  if (use.interrupt == Interrupt::intx) return name + "=intx";
  if (use.interrupt == Interrupt::msi) return name + "=msi";
  return name + "=msix:" + std::to_string(use.vectors);
}

std::string kind(const BoardUse& use) {
  const std::string all = text(use);
  return all.substr(all.find('=') + 1);
}

class Run {
 public:
  Run(const Trial& trial, std::string program, Figures& figures)
      : trial_(trial), program_(std::move(program)), figures_(figures) {
    std::array<char, 32> name{"/tmp/vcpr-handover-XXXXXX"};
    if (::mkdtemp(name.data()) != nullptr) folder_ = name.data();
  }
  ~Run() {
    vm_.reset();
    for (const char* leaf : {"/cpr", "/main", "/file"}) ::unlink((folder_ + leaf).c_str());
    ::rmdir(folder_.c_str());
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Verdict run();

 private:
  /// Empty, or what is wrong.
  using Wrong = std::string;

  Wrong find_boards();
  Wrong start();
  Wrong look_at_guest();
  Wrong fail_once();
  Wrong hop(Mode mode);
  Wrong transfer();
  Wrong exec();
  Wrong check_heart();
  Wrong check_after_hop();
  Wrong retire(DemoProcess& old);
  Wrong finish();
  std::string patience() const;
  std::vector<std::string> arguments() const;
  std::vector<std::string> incoming() const;
  std::string transfer_command() const { return "handover transfer " + folder_ + "/cpr " + folder_ + "/main"; }
  Background background() {
    return [this] { load_->turn(); };
  }

  const Trial& trial_;
  std::string program_;
  std::string folder_;
  std::vector<std::unique_ptr<Board>> boards_;
  std::unique_ptr<DemoProcess> vm_;
  std::unique_ptr<GuestRam> ram_;
  std::unique_ptr<Load> load_;
  GuestPlaces places_;
  double cycles_a_microsecond_ = 0;
  std::string ids_;
  std::map<std::string, int> descriptors_;
  std::vector<std::map<std::string, std::uint64_t>> fingerprints_;
  Figures& figures_;
  std::string noted_by_old_;
  std::string noted_by_new_;
  std::string remarks_;
};

/// Seconds: short where an attempt ends only when they are over.
std::string Run::patience() const {
  if (trial_.failure == "receiving_table") return "3";
  return trial_.failure == "stop" ? "6" : "20";
}

std::vector<std::string> Run::arguments() const {
  std::vector<std::string> words{"--patience", patience()};
  for (std::size_t i = 0; i < boards_.size(); ++i)
    words.insert(words.end(), {"--device", boards_[i]->address() + "=" + kind(trial_.boards[i])});
  if (trial_.iommufd) words.emplace_back("--iommufd");
  if (!trial_.kvm) words.emplace_back("--no-kvm");
  return words;
}

std::vector<std::string> Run::incoming() const {
  std::vector<std::string> words = arguments();
  words.insert(words.end(), {"--incoming", folder_ + "/cpr", "--main", folder_ + "/main"});
  return words;
}

Run::Wrong Run::find_boards() {
  std::map<Model, std::size_t> used;
  for (const BoardUse& use : trial_.boards) {
    const std::vector<std::string> found = live::find_boards(use.model);
    const std::size_t position = used[use.model]++;
    if (position >= found.size()) return "no " + text(use);
    auto board = Board::open(found[position], use.model);
    if (!board) return found[position] + ": registers cannot be mapped";
    boards_.push_back(std::move(board));
  }
  return {};
}

Run::Wrong Run::start() {
  vm_ = std::make_unique<DemoProcess>(program_, arguments());
  if (const std::string ready = vm_->listen({}, kPatience); !ready.starts_with("ready fresh"))
    return "the VM does not start: " + ready;
  std::istringstream places(vm_->ask("map"));
  std::string ok;
  places >> ok >> places_.counters >> places_.heartbeat >> places_.stamp >> places_.gap >> places_.sleeps >>
      places_.fault;
  if (Wrong wrong = look_at_guest(); !wrong.empty()) return wrong;
  // Before its first beat the guest's APIC is off, and an interrupt then is nobody's.
  for (int i = 0; trial_.kvm && ram_->heartbeat() == 0; ++i) {
    if (i == 10'000) return "the guest's heart does not begin to beat";
    ::usleep(1000);
  }
  std::istringstream heart(vm_->ask("heartbeat"));
  for (std::string word; heart >> word;)
    if (word == "khz") heart >> cycles_a_microsecond_;
  cycles_a_microsecond_ /= 1000;
  for (std::size_t i = 0; i < kMarkBytes; ++i) ram_->bytes()[kMark + i] = static_cast<std::uint8_t>(i * 13 + i / 256);
  std::vector<Source> sources;
  for (std::size_t i = 0; i < boards_.size(); ++i) {
    boards_[i]->prepare(trial_.boards[i].interrupt);
    sources.push_back(
        {boards_[i].get(), kFirstVector + static_cast<std::uint32_t>(i) * kVectorsOfABoard, trial_.boards[i].vectors});
  }
  load_ = std::make_unique<Load>(*ram_, sources, trial_.rhythm);
  load_->run_for(kAround);
  ids_ = vm_->ask("ids", background());
  descriptors_ = vm_->descriptors();
  for (const auto& board : boards_) fingerprints_.push_back(board->fingerprint());
  return {};
}

Run::Wrong Run::look_at_guest() {
  auto ram = GuestRam::of(vm_->pid(), places_);
  if (!ram) return "the VM's process has no RAM";
  if (!load_) ram_ = std::move(ram);
  return {};
}

Run::Wrong Run::hop(Mode mode) {
  ram_->forget_gap();
  if (Wrong wrong = mode == Mode::transfer ? transfer() : exec(); !wrong.empty()) return wrong;
  const double downtime = trial_.kvm ? static_cast<double>(ram_->gap()) / cycles_a_microsecond_ : -1;
  figures_.add(trial_.machine() + (mode == Mode::transfer ? ", transfer" : ", exec"),
               measure(noted_by_old_, noted_by_new_, static_cast<long>(downtime)));
  return check_after_hop();
}

Run::Wrong Run::transfer() {
  auto other = std::make_unique<DemoProcess>(program_, incoming());
  for (int i = 0; i < 10'000 && ::access((folder_ + "/cpr").c_str(), F_OK) != 0; ++i) load_->run_for(kGlance);
  const std::string answer = vm_->ask(transfer_command(), background());
  const std::string ready = other->listen(background(), kPatience);
  if (!answer.starts_with("ok") || !ready.starts_with("ready transfer"))
    return "transfer: old \"" + answer + "\", new \"" + ready + "\"";
  load_->run_for(kAround);
  noted_by_old_ = answer;
  noted_by_new_ = ready;
  std::swap(vm_, other);
  Wrong wrong = retire(*other);
  load_->run_for(kAround);
  return wrong;
}

/// The VM is no longer the old process's, and stays so.
Run::Wrong Run::retire(DemoProcess& old) {
  if (const std::string status = old.ask("status", background()); status != "ok postmigrate")
    return "the old process says \"" + status + "\"";
  if (const std::string answer = old.ask("resume", background()); !answer.starts_with("error bad_state"))
    return "the old process may resume: \"" + answer + "\"";
  old.tell("quit");
  const auto status = old.wait(kPatience);
  return status == 0 ? "" : "the old process ends with " + std::to_string(status.value_or(-1));
}

Run::Wrong Run::exec() {
  const std::string ready = vm_->ask("handover exec " + folder_ + "/file", background());
  if (!ready.starts_with("ready exec")) return "exec: \"" + ready + "\"";
  noted_by_old_ = vm_->remark();
  noted_by_new_ = ready;
  load_->run_for(kAround);
  return {};
}

/// A busy host may keep the guest from beating for a while.
Run::Wrong Run::check_heart() {
  if (!trial_.kvm) return {};
  const std::uint64_t beats = ram_->heartbeat();
  for (int i = 0; i < 100; ++i) {
    load_->run_for(kAround);
    if (ram_->heartbeat() != beats) return {};
  }
  return "the guest's heart stands still; " + load_->trouble();
}

Run::Wrong Run::check_after_hop() {
  if (Wrong wrong = look_at_guest(); !wrong.empty()) return wrong;
  if (const std::string status = vm_->ask("status", background()); status != "ok running")
    return "the new process says \"" + status + "\"";
  if (const std::string ids = vm_->ask("ids", background()); ids != ids_) return "ids were " + ids_ + ", are " + ids;
  const auto now = GuestRam::of(vm_->pid(), places_);
  for (std::size_t i = 0; i < kMarkBytes; ++i)
    if (now->bytes()[kMark + i] != static_cast<std::uint8_t>(i * 13 + i / 256)) return "RAM is other RAM";
  if (Wrong wrong = check_heart(); !wrong.empty()) return wrong;
  if (ram_->has_faulted()) return "the guest met an exception";
  for (const auto& [link, count] : vm_->descriptors())
    if (descriptors_[link] != count)
      return "descriptors " + link + ": " + std::to_string(descriptors_[link]) + " before, " + std::to_string(count);
  if (vm_->descriptors().size() != descriptors_.size()) return "descriptors of some kind are gone";
  for (std::size_t i = 0; i < boards_.size(); ++i) {
    std::map<std::string, std::uint64_t> facts = boards_[i]->fingerprint();
    for (const auto& [what, value] : fingerprints_[i])
      if (facts[what] != value)
        return boards_[i]->address() + " " + what + ": was " + std::to_string(value) + ", is " +
               std::to_string(facts[what]);
  }
  return {};
}

/// The attempt fails, and nothing is lost by it.
Run::Wrong Run::fail_once() {
  std::string answer;
  if (trial_.failure == "program") {
    answer = vm_->ask("handover exec " + folder_ + "/file /nonexistent/vcpr", background());
  } else {
    const bool stops = trial_.failure == "stop";
    std::vector<std::string> words = incoming();
    words.insert(words.end(), {stops ? "--stop-at" : "--die-at", stops ? "taken_over" : trial_.failure});
    DemoProcess other(program_, words);
    vm_->tell(transfer_command());
    answer = vm_->listen([&] {
      load_->turn();
      if (stops && vm_->remark().starts_with("# waiting")) other.kill();
    });
    if (other.wait(kPatience) != 128 + 9) return "the new process did not die: \"" + answer + "\"";
    for (const char* leaf : {"/cpr", "/main"}) ::unlink((folder_ + leaf).c_str());
  }
  if (!answer.starts_with("error")) return "the attempt succeeds: \"" + answer + "\"";
  remarks_ += answer + "; ";
  load_->run_for(kAround);
  return check_after_hop();
}

Run::Wrong Run::finish() {
  Wrong wrong = load_->settle();
  // Told apart, nothing comes twice in the first attempt: no eventfd has a count from before. A pin may: it is unmasked
  // once after each attempt, and KVM brings what follows to the IOAPIC by a worker, perhaps after the guest's EOI.
  const std::int64_t attempts = static_cast<std::int64_t>(trial_.hops.size()) + (trial_.failure.empty() ? 0 : 1);
  std::int64_t allowed = 0;
  for (const BoardUse& use : trial_.boards) {
    const bool is_exact = trial_.rhythm == Rhythm::exact && use.interrupt != Interrupt::intx;
    allowed += (is_exact ? attempts - 1 : attempts) * use.vectors;
  }
  if (!trial_.boards.empty())
    remarks_ += "raised " + std::to_string(load_->raised()) + ", delivered " + std::to_string(load_->delivered()) +
                ", DMA copies " + std::to_string(load_->copies());
  if (!wrong.empty()) return wrong;
  if (load_->surplus() > allowed)
    return std::to_string(load_->surplus()) + " deliveries too many, allowed " + std::to_string(allowed);
  vm_->tell("quit");
  return vm_->wait(kPatience) == 0 ? "" : "the last process does not end well";
}

Verdict Run::run() {
  Wrong wrong = find_boards();
  if (wrong.empty()) wrong = start();
  if (wrong.empty() && !trial_.failure.empty()) wrong = fail_once();
  for (Mode mode : trial_.hops)
    if (wrong.empty()) wrong = hop(mode);
  if (wrong.empty()) wrong = finish();
  return {wrong, remarks_};
}

}  // namespace

std::string Trial::machine() const {
  std::string name = boards.empty() ? "RAM alone" : "";
  for (const BoardUse& use : boards) name += (name.empty() ? "" : " ") + text(use);
  if (!boards.empty()) name += iommufd ? ", iommufd" : ", group";
  return name + (kvm ? "" : ", no KVM");
}

std::string Trial::name() const {
  std::string name = machine();
  if (!failure.empty()) name += ", fails at " + failure;
  name += ",";
  for (Mode mode : hops) name += mode == Mode::transfer ? " transfer" : " exec";
  if (!boards.empty()) name += rhythm == Rhythm::exact ? ", exact" : ", bursts";
  return name;
}

Verdict run(const Trial& trial, const std::string& program, Figures& figures) {
  return Run(trial, program, figures).run();
}

}  // namespace vcpr::live
