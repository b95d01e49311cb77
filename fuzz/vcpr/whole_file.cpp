#include "fuzz/vcpr/whole_file.hpp"

#include <fstream>
#include <system_error>

#include "fuzz/input_file.hpp"

namespace vcpr::tool {

std::expected<std::string, std::string> read_whole_file(const std::filesystem::path& path) {
  std::error_code error;
  auto size = std::filesystem::file_size(path, error);
  if (error) return std::unexpected(path.string() + ": " + error.message());
  if (size > fuzz::kMaxInputFileBytes) return std::unexpected(path.string() + ": too large");
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    return std::unexpected(path.string() + ": cannot be read");
  }
  return text;
}

}  // namespace vcpr::tool
