// A `vcpr demo-vm` process, and what /proc says of it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace vcpr::live {

/// Called again and again while an answer is awaited: what goes on around the VMs.
using Background = std::function<void()>;

class DemoProcess {
 public:
  /// Starts `program` demo-vm ARGUMENTS.
  DemoProcess(const std::string& program, const std::vector<std::string>& arguments);
  /// Kills it if it still runs.
  ~DemoProcess();
  DemoProcess(const DemoProcess&) = delete;
  DemoProcess& operator=(const DemoProcess&) = delete;

  void tell(const std::string& line);
  /// The next line that begins with "ready", "ok" or "error"; remarks are kept. Empty: the process ended, or `patience`
  /// passed.
  std::string listen(const Background& background = {}, std::chrono::seconds patience = std::chrono::seconds(30));
  std::string ask(const std::string& line, const Background& background = {}) {
    tell(line);
    return listen(background);
  }
  void kill();
  /// Its exit status; 128 and the signal when it was killed; nothing while it runs.
  std::optional<int> wait(std::chrono::seconds patience);

  pid_t pid() const { return pid_; }
  /// The last remark ("# ...").
  const std::string& remark() const { return remark_; }
  /// How many descriptors of each kind it has, by the text of their links.
  std::map<std::string, int> descriptors() const;

 private:
  std::optional<std::string> next_line();

  pid_t pid_ = -1;
  int input_ = -1;   // ours, its standard input
  int output_ = -1;  // ours, its standard output
  std::string pending_;
  std::string remark_;
  std::optional<int> status_;
};

}  // namespace vcpr::live
