#include "fuzz/input_file.hpp"

#include <algorithm>
#include <fstream>
#include <string_view>
#include <system_error>

namespace vcpr::fuzz {
namespace {

namespace fs = std::filesystem;

std::unexpected<std::string> refused(const fs::path& path, std::string_view why) {
  std::string message = path.string();
  message += ": ";
  message += why;
  return std::unexpected(std::move(message));
}

std::expected<Bytes, std::string> read_bytes(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return refused(path, error.message());
  if (size > kMaxInputFileBytes) return refused(path, "larger than 64 MiB");
  Bytes bytes(size);
  std::ifstream in(path, std::ios::binary);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(in.get());
  if (!in) return refused(path, "cannot be read");
  return bytes;
}

bool is_input(const fs::path& name) {
  const fs::path kind = name.extension();
  return !name.string().starts_with('.') && name != "README.md" && kind != ".dict" && kind != ".options";
}

}  // namespace

std::expected<Bytes, std::string> read_input(const Target& target, const fs::path& path) {
  auto bytes = read_bytes(path);
  if (!bytes || path.extension() != ".txt") return bytes;
  if (target.parse == nullptr) return refused(path, "this target has no text form; name the file without .txt");
  auto parsed = target.parse(std::string(bytes->begin(), bytes->end()));
  if (!parsed) return refused(path, parsed.error());
  return parsed;
}

std::expected<std::vector<fs::path>, std::string> list_inputs(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (!fs::exists(path, error)) return refused(path, "no such file or folder");
    return std::vector{path};
  }
  std::vector<fs::path> files;
  fs::recursive_directory_iterator entry(path, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_regular_file(error) && is_input(entry->path().filename())) files.push_back(entry->path());
  }
  if (error) return refused(path, error.message());
  std::ranges::sort(files);
  return files;
}

}  // namespace vcpr::fuzz
