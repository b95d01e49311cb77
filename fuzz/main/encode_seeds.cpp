// Writes a target's seeds as the bytes that fuzzing engines read: `encode_seeds TARGET OUT FILE|FOLDER...`.
// Has no dependency, so that an OSS-Fuzz build can run it.
#include <fstream>
#include <iostream>

#include "fuzz/input_file.hpp"

namespace {

namespace fs = std::filesystem;

/// The path below its folder as one name: the seed "x" of two folders must not become one file.
std::string flat_name(const fs::path& file, const fs::path& given) {
  const fs::path name = file == given ? file.filename() : file.lexically_relative(given);
  std::string flat = name.string();
  for (char& c : flat) c = c == '/' ? '-' : c;
  return given.filename().string() + '-' + flat;
}

bool encode(const vcpr::fuzz::Target& target, const fs::path& given, const fs::path& out) {
  const auto files = vcpr::fuzz::list_inputs(given);
  if (!files) {
    std::cerr << files.error() << '\n';
    return false;
  }
  for (const fs::path& file : *files) {
    const auto bytes = vcpr::fuzz::read_input(target, file);
    if (!bytes) {
      std::cerr << bytes.error() << '\n';
      return false;
    }
    std::ofstream to(out / flat_name(file, given), std::ios::binary);
    for (const std::uint8_t byte : *bytes) to.put(static_cast<char>(byte));
    if (!to.flush()) {
      std::cerr << out.string() << ": cannot be written\n";
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: encode_seeds TARGET OUT FILE|FOLDER...\n";
    return 2;
  }
  const vcpr::fuzz::Target* target = vcpr::fuzz::find_target(argv[1]);
  if (target == nullptr) {
    std::cerr << "no target is named " << argv[1] << '\n';
    return 2;
  }
  std::error_code error;
  fs::create_directories(argv[2], error);
  for (int i = 3; i < argc; ++i) {
    if (!encode(*target, argv[i], argv[2])) return 1;
  }
  return 0;
}
