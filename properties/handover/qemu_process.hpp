// A real QEMU's process, and the sockets on which it answers lines with lines.
#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace vcpr::live {

/// Its monitor, or its test protocol.
class Lines {
 public:
  Lines() = default;
  ~Lines();
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  /// False: nobody listens there, yet.
  bool connect(const std::string& path);
  void tell(const std::string& line);
  /// The next line that contains one of these words. Empty: it hung up, or none came in 30 s.
  std::string listen(const std::vector<std::string>& words);
  /// All that came and was not listened to. Waits for more, less than a second.
  const std::string& peek(std::chrono::microseconds patience);

 private:
  bool read();
  void hang_up();

  int fd_ = -1;
  std::string pending_;
};

class QemuProcess {
 public:
  /// Starts `words`; what it prints goes to the new file `log`.
  QemuProcess(const std::vector<std::string>& words, const std::string& log);
  /// Kills it.
  ~QemuProcess();
  QemuProcess(const QemuProcess&) = delete;
  QemuProcess& operator=(const QemuProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool has_ended();
  /// All it printed so far.
  const std::string& log();

 private:
  pid_t pid_ = -1;
  int log_ = -1;
  std::string text_;
};

}  // namespace vcpr::live
