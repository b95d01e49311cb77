// The sidecar of a recorded stream: which descriptors came with it, by the schema of corpus/captures/README.md.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vcpr::tool {

enum class StreamKind : std::uint8_t { cpr, cprexec, main };
enum class RecordedKind : std::uint8_t { memfd, file, eventfd, chardev, vfio_device, socket, pipe };

/// A descriptor as the recorder saw it. What its kind of stream does not record stays as it is here.
struct RecordedDescriptor {
  std::uint64_t stream_offset = 0;  ///< cpr: the byte it rode on
  int fd = -1;                      ///< cprexec: its number in the new image
  RecordedKind kind{};
  std::string link;            ///< of /proc/self/fd/N
  std::uint32_t flags = 0;     ///< F_GETFL
  std::uint64_t size = 0;      ///< st_size
  std::uint32_t mode = 0;      ///< cpr: st_mode
  std::uint64_t inode = 0;     ///< cpr: st_ino
  std::optional<int> seals;    ///< cpr: F_GET_SEALS; empty where the file has none to ask for
  std::uint64_t position = 0;  ///< cprexec: file offset
};

struct Sidecar {
  std::string name;
  StreamKind stream{};
  std::uint64_t bytes = 0;  ///< of the stream
  std::vector<RecordedDescriptor> descriptors;
  int state_fd = -1;                                             ///< cprexec
  std::vector<std::pair<std::string, std::string>> environment;  ///< cprexec: name, value
};

/// Reads a sidecar and holds it to the schema: every field there, none unknown, each of its type. The message names
/// the file and the field.
std::expected<Sidecar, std::string> read_sidecar(const std::filesystem::path& path);

/// Where the sidecar of a stream is looked for: the same name with .json for .bin.
std::filesystem::path sidecar_of(std::filesystem::path stream);

}  // namespace vcpr::tool
