// The plain main of a fuzz target: runs the files and folders it is given. Needs no fuzzing engine, builds anywhere.
#include <chrono>
#include <iomanip>
#include <iostream>

#include "fuzz/replay.hpp"

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  const auto linked = vcpr::fuzz::targets();
  if (linked.size() != 1) {
    std::cerr << "this program must hold one target, not " << linked.size() << '\n';
    return 2;
  }
  const vcpr::fuzz::Target& target = *linked.front();
  if (argc < 2 || std::string_view(argv[1]) == "--help") {
    std::cerr << "usage: fuzz_" << target.name << " FILE|FOLDER...\n" << target.proves << '\n';
    return 2;
  }
  const std::vector<std::filesystem::path> paths(argv + 1, argv + argc);
  const auto start = Clock::now();
  const auto result = vcpr::fuzz::replay(target, paths, std::cout);
  const std::chrono::duration<double> took = Clock::now() - start;
  if (!result.good()) {
    std::cout << target.name << ": " << result.failures << " failures against " << result.files << " files\n";
    return 1;
  }
  std::cout << target.name << ": succeeded against " << result.files << " files in " << std::fixed
            << std::setprecision(2) << took.count() << "s\n";
  return 0;
}
