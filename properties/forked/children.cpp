#include "properties/forked/children.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <poll.h>
#include <span>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vcpr::forked {

void* shared_memory(std::size_t bytes) {
  void* shared = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    std::perror("no memory to share with children");
    std::abort();
  }
  return shared;
}

int wait_for(int pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

Children::Children(std::size_t slots)
    : slots_(slots), progress_(static_cast<Progress*>(shared_memory(slots * sizeof(Progress)))) {
  for (std::size_t i = 0; i < slots; ++i) new (progress_ + i) Progress(0);
}

Children::~Children() {
  for (const Child& each : children_) {
    (void)kill(each.pid, SIGKILL);
    (void)waitpid(each.pid, nullptr, 0);
    (void)close(each.pipe);
  }
  (void)munmap(progress_, slots_ * sizeof(Progress));
}

std::size_t Children::free_slot() const {
  for (std::size_t slot = 0; slot < slots_; ++slot) {
    if (std::ranges::none_of(children_, [slot](const Child& each) { return each.slot == slot; })) return slot;
  }
  return slots_;
}

bool Children::start(std::uint64_t tag, const std::function<std::string(Progress&)>& work) {
  const std::size_t slot = free_slot();
  std::array<int, 2> ends{};
  if (slot == slots_ || pipe(ends.data()) != 0) return false;
  std::fflush(nullptr);  // or the child writes it too
  progress_[slot] = 0;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    (void)close(ends[0]);
    work_and_end(ends[1], work, progress_[slot]);
  }
  (void)close(ends[1]);
  if (pid < 0) {
    (void)close(ends[0]);
    return false;
  }
  children_.push_back({.tag = tag, .pid = pid, .pipe = ends[0], .slot = slot, .output = {}});
  return true;
}

void Children::work_and_end(int pipe, const std::function<std::string(Progress&)>& work, Progress& at) {
  alarm(kMostSeconds);
  const std::string output = work(at);
  std::span<const char> rest(output);
  while (!rest.empty()) {
    const ssize_t written = write(pipe, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) _exit(1);
    if (written > 0) rest = rest.subspan(static_cast<std::size_t>(written));
  }
  _exit(0);
}

bool Children::read_some(Child& child) {
  std::array<char, 4096> bytes{};
  const ssize_t count = read(child.pipe, bytes.data(), bytes.size());
  if (count < 0) return errno != EINTR;
  child.output.append(bytes.data(), static_cast<std::size_t>(count));
  return count == 0;
}

Ended Children::bury(std::size_t at) {
  Child child = std::move(children_[at]);
  children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(at));
  (void)close(child.pipe);
  const int status = wait_for(child.pid);
  const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  // A sanitizer's report ends a process by itself: that is a crash too
  const int signal = well ? 0 : WIFSIGNALED(status) ? WTERMSIG(status) : SIGABRT;
  return {.tag = child.tag,
          .output = well ? std::move(child.output) : std::string(),
          .signal = signal,
          .at = progress_[child.slot]};
}

Ended Children::wait() {
  for (;;) {
    std::vector<pollfd> watched;
    for (const Child& each : children_) watched.push_back({.fd = each.pipe, .events = POLLIN, .revents = 0});
    (void)poll(watched.data(), watched.size(), -1);
    for (std::size_t i = 0; i < watched.size(); ++i) {
      if (watched[i].revents != 0 && read_some(children_[i])) return bury(i);
    }
  }
}

void begin_piece(Progress& progress, std::uint64_t piece) {
  progress = piece;
  alarm(kMostSeconds);
}

Ended do_alone(const std::function<std::string(Progress&)>& work) {
  Children one(1);
  if (!one.start(0, work)) return {.tag = 0, .output = {}, .signal = SIGABRT, .at = 0};
  return one.wait();
}

}  // namespace vcpr::forked
