#include "properties/handover/qemu_process.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vcpr::live {

namespace {

[[noreturn]] void become(const std::vector<std::string>& words, int output) {
  std::vector<const char*> arguments;
  for (const std::string& each : words) arguments.push_back(each.c_str());
  arguments.push_back(nullptr);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  ::execv(arguments.front(), const_cast<char* const*>(arguments.data()));
  ::_exit(127);
}

}  // namespace

Lines::~Lines() {
  hang_up();
}

void Lines::hang_up() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Lines::connect(const std::string& path) {
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = 30, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  hang_up();
  return false;
}

void Lines::tell(const std::string& line) {
  const std::string text = line + "\n";
  (void)!::write(fd_, text.data(), text.size());
}

std::string Lines::listen(const std::vector<std::string>& words) {
  for (;;) {
    for (std::size_t end; (end = pending_.find('\n')) != std::string::npos;) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      if (std::ranges::any_of(words, [&](const std::string& word) { return line.find(word) != std::string::npos; }))
        return line;
    }
    if (!read()) return {};
  }
}

bool Lines::read() {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(fd_, buffer.data(), buffer.size());
  if (count > 0) pending_.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

const std::string& Lines::peek(std::chrono::microseconds patience) {
  const timespec time{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(patience).count()};
  pollfd wanted{fd_, POLLIN, 0};  // -1 is nobody: only the time passes
  if (::ppoll(&wanted, 1, &time, nullptr) == 1 && !read()) hang_up();
  return pending_;
}

QemuProcess::QemuProcess(const std::vector<std::string>& words, const std::string& log) {
  log_ = ::open(log.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  pid_ = ::fork();
  if (pid_ == 0) become(words, log_);
}

QemuProcess::~QemuProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(log_);
}

bool QemuProcess::has_ended() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ < 0;
}

const std::string& QemuProcess::log() {
  std::array<char, 4096> buffer{};
  for (ssize_t count; (count = ::pread(log_, buffer.data(), buffer.size(), static_cast<off_t>(text_.size()))) > 0;)
    text_.append(buffer.data(), static_cast<std::size_t>(count));
  return text_;
}

}  // namespace vcpr::live
