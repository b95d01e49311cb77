#include "properties/counterexample.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vcpr::properties {

namespace {

/// Bytes of the largest scenario of either model, and more.
constexpr std::size_t kMostBytes = 65536;
constexpr std::size_t kMostName = 256;

/// What the process that runs the tests tells the one that watches it.
struct Watch {
  bool ended = false;     ///< all tests were run
  std::size_t size = 0;   ///< of the scenario that is looked at; 0: none is
  LookedAt::Ways ways{};  ///< both processes have the same program at the same place
  std::array<char, kMostName> test{};
  std::array<std::uint8_t, kMostBytes> bytes{};
};

Watch& watch() {
  static Watch* const shared = new (forked::shared_memory(sizeof(Watch))) Watch();
  return *shared;
}

std::string write_counterexample(const std::string& text) {
  std::string path = std::string("counterexample.") + watch().test.data() + ".txt";
  std::ofstream(path) << text;
  return path;
}

}  // namespace

LookedAt::LookedAt(Bytes bytes, Ways ways) : exceptions_(std::uncaught_exceptions()) {
  Watch& shared = watch();
  if (bytes.size() > kMostBytes) std::abort();
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::strncpy(shared.test.data(), test != nullptr ? test->name() : "none", kMostName - 1);
  std::ranges::copy(bytes, shared.bytes.begin());
  shared.ways = ways;
  shared.size = bytes.size();
}

LookedAt::~LookedAt() {
  Watch& shared = watch();
  if (std::uncaught_exceptions() > exceptions_)
    (void)write_counterexample(shared.ways.text({shared.bytes.data(), shared.size}));
  shared.size = 0;
}

int watched(const std::function<int()>& tests) {
  Watch& shared = watch();
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int code = tests();
    shared.ended = true;
    std::exit(code);
  }
  const int status = forked::wait_for(pid);
  if (shared.ended && WIFEXITED(status)) return WEXITSTATUS(status);
  if (shared.size == 0) {
    std::fprintf(stderr, "the tests died, and not over a scenario\n");
    return 1;
  }
  std::fprintf(stderr, "%s died; looking for the smallest scenario that is deadly\n", shared.test.data());
  const std::string text = shared.ways.smallest_deadly({shared.bytes.data(), shared.size});
  std::fprintf(stderr, "%s\nwritten to %s\n", text.c_str(), write_counterexample(text).c_str());
  return 1;
}

}  // namespace vcpr::properties
