#include "properties/handover/demo_process.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vcpr::live {

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void become(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<const char*> words{program.c_str(), "demo-vm"};
  for (const std::string& each : arguments) words.push_back(each.c_str());
  words.push_back(nullptr);
  ::execv(program.c_str(), const_cast<char* const*>(words.data()));
  ::_exit(127);
}

/// "socket:[123]" and "pipe:[4]" are kinds with a number; everything else is its own kind.
std::string kind_of(const std::string& link) {
  const std::size_t bracket = link.find(":[");
  const bool is_numbered = link.starts_with("socket:[") || link.starts_with("pipe:[");
  return is_numbered ? link.substr(0, bracket) : link;
}

}  // namespace

DemoProcess::DemoProcess(const std::string& program, const std::vector<std::string>& arguments) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) return;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    become(program, arguments);
  }
  ::close(in[0]);
  ::close(out[1]);
  input_ = in[1];
  output_ = out[0];
}

DemoProcess::~DemoProcess() {
  kill();
  ::close(input_);
  ::close(output_);
}

void DemoProcess::tell(const std::string& line) {
  const std::string text = line + "\n";
  (void)!::write(input_, text.data(), text.size());
}

std::optional<std::string> DemoProcess::next_line() {
  const std::size_t end = pending_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = pending_.substr(0, end);
  pending_.erase(0, end + 1);
  return line;
}

std::string DemoProcess::listen(const Background& background, std::chrono::seconds patience) {
  constexpr timespec kGlance{0, 500'000};
  const auto until = Clock::now() + patience;
  while (Clock::now() < until) {
    while (auto line = next_line()) {
      if (!line->starts_with("#")) return *line;
      remark_ = *line;
    }
    if (background) background();
    pollfd wanted{output_, POLLIN, 0};
    if (::ppoll(&wanted, 1, &kGlance, nullptr) <= 0) continue;
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(output_, buffer.data(), buffer.size());
    if (count <= 0) return {};
    pending_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return {};
}

void DemoProcess::kill() {
  if (status_ || pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  (void)wait(std::chrono::seconds(10));
}

std::optional<int> DemoProcess::wait(std::chrono::seconds patience) {
  const auto until = Clock::now() + patience;
  while (!status_) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    } else if (Clock::now() >= until) {
      break;
    } else {
      ::usleep(1000);
    }
  }
  return status_;
}

std::map<std::string, int> DemoProcess::descriptors() const {
  std::map<std::string, int> kinds;
  std::error_code error;
  for (const auto& each : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/fd", error))
    ++kinds[kind_of(std::filesystem::read_symlink(each.path(), error).string())];
  return kinds;
}

}  // namespace vcpr::live
