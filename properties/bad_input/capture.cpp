#include "properties/bad_input/capture.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "properties/streams/riders.hpp"

namespace vcpr::bad_input {

namespace {

std::string_view ending_of(streams::StreamKind kind) {
  switch (kind) {
    case streams::StreamKind::transfer:
      return ".cpr.bin";
    case streams::StreamKind::exec:
      return ".cprexec.bin";
    default:
      return ".main.bin";
  }
}

streams::Stream read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::vector<Capture> captures(const std::string& directory, streams::StreamKind kind) {
  std::vector<Capture> found;
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
    std::string name = file.path().filename().string();
    if (name.ends_with(ending_of(kind))) found.push_back({name, kind, read(file.path())});
  }
  std::ranges::sort(found, {}, &Capture::name);
  return found;
}

std::vector<Seat> seats(const streams::Stream& stream, handover::Encoding encoding) {
  std::vector<Seat> seats;
  streams::Riders riders(stream, encoding);
  while (auto rider = riders.next()) seats.push_back({rider->offset, std::string(rider->name), rider->number});
  return seats;
}

}  // namespace vcpr::bad_input
