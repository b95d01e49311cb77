// Work in forked processes: what crashes or hangs there does so alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vcpr::forked {

/// Where a child says which piece of its work it is at; its parent reads it when the child has died.
using Progress = std::atomic<std::uint64_t>;

/// How a child ended.
struct Ended {
  std::uint64_t tag = 0;  ///< as it was started with
  std::string output;     ///< all that its work returned; of one that died: nothing
  int signal = 0;         ///< that killed it; 0: it ended by itself
  std::uint64_t at = 0;   ///< its Progress
};

/// Seconds that a child may spend on one piece: then SIGALRM ends it.
inline constexpr unsigned kMostSeconds = 5;

/// Children at work, at most `slots`. Those that are left are killed.
class Children {
 public:
  /// `slots`: 1 or more.
  explicit Children(std::size_t slots);
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  bool is_full() const { return working() == slots_; }
  std::size_t working() const { return children_.size(); }
  /// Forks; the child does the work and ends. Not when full. False: there is no process to be had.
  bool start(std::uint64_t tag, const std::function<std::string(Progress&)>& work);
  /// Waits for the next one to end. There must be one.
  Ended wait();

 private:
  struct Child {
    std::uint64_t tag = 0;
    int pid = 0;
    int pipe = -1;
    std::size_t slot = 0;
    std::string output;
  };
  [[noreturn]] static void work_and_end(int pipe, const std::function<std::string(Progress&)>& work, Progress& at);
  /// Reads what one has written; true when that was all.
  static bool read_some(Child& child);
  Ended bury(std::size_t child);
  std::size_t free_slot() const;

  std::size_t slots_;
  Progress* progress_;  ///< one a slot, shared with the children
  std::vector<Child> children_;
};

/// Zeroed memory that this process will share with those it forks; there is no way on without it.
void* shared_memory(std::size_t bytes);
/// How a forked process ended, as waitpid has it.
int wait_for(int pid);

/// In a child: one more piece is begun.
void begin_piece(Progress& progress, std::uint64_t piece);

/// One piece of work, alone.
Ended do_alone(const std::function<std::string(Progress&)>& work);

}  // namespace vcpr::forked
