// What each seed of the stream targets shows, and that those which load are saved as the same bytes.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "engine/store/descriptor_kind.hpp"
#include "engine/vmstate/main_stream_document.hpp"
#include "properties/streams/arrival.hpp"
#include "properties/streams/delivery.hpp"
#include "properties/streams/exec_input.hpp"
#include "source_dir.hpp"

namespace vcpr::streams {
namespace {

using Input = std::vector<std::uint8_t>;

std::map<std::string, Input> files_below(const std::string& folder, const std::string& ending) {
  std::map<std::string, Input> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(VCPR_SOURCE_DIR "/corpus/" + folder)) {
    if (!entry.is_regular_file() || !entry.path().string().ends_with(ending)) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename().string()].assign(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

/// "loaded", or the error; bytes that are not saved again as they were are a failure.
std::string outcome(const Expected<handover::CprState>& state, handover::Encoding encoding,
                    std::span<const std::byte> stream, handover::Peer peer) {
  if (!state) return std::string(name(state.error().code));
  wire::Outbox saved;
  EXPECT_TRUE(save_cpr_state(*state, encoding, saved));
  EXPECT_TRUE(peer != handover::Peer::current || std::ranges::equal(saved.bytes, stream));
  return "loaded";
}

std::string arrival(const TransferInput& input) {
  machine::Machine machine;
  machine::Process& process = machine.spawn();
  auto state = load_cpr_state(process.kernel(), arrive(input, process), handover::Encoding::transfer, input.peer);
  if (!state) return outcome(state, handover::Encoding::transfer, input.stream, input.peer);
  auto verified = verify_kinds(process.kernel(), state->descriptors);
  return verified ? "loaded" : std::string(name(verified.error().code));
}

std::string transfer(const Input& bytes) {
  TransferInput input = decode_transfer(bytes);
  machine::Machine machine;
  Delivery delivery(machine);
  auto rides = delivery.prepare(input);
  return outcome(delivery.run(input, rides), handover::Encoding::transfer, input.stream, input.peer);
}

std::string exec(const Input& bytes) {
  ExecInput input = decode_exec(bytes);
  machine::Machine machine;
  machine::Process& process = machine.spawn();
  (void)furnish(process, input);
  return outcome(handover::load_exec_state(process.kernel(), input.peer), handover::Encoding::exec, input.stream,
                 input.peer);
}

TEST(Seeds, OfACprStateShowWhatTheirNameSays) {
  const std::map<std::string, std::string> refused = {{"a_socket_for_an_interrupt.bin", "wrong_kind"},
                                                      {"descriptors_one_byte_late.bin", "missing_descriptor"},
                                                      {"one_descriptor_missing.bin", "missing_descriptor"},
                                                      {"one_descriptor_too_many.bin", "extra_descriptor"},
                                                      {"source_goes_silent.bin", "timed_out"},
                                                      {"target_has_five_descriptors.bin", "lost_descriptor"}};
  for (const auto& [file, bytes] : files_below("cpr_state/seeds", ".bin")) {
    auto expected = refused.find(file);
    EXPECT_EQ(transfer(bytes), expected == refused.end() ? "loaded" : expected->second) << file;
  }
}

TEST(Seeds, OfACprStateArriveAsThroughASocket) {
  std::size_t compared = 0;
  for (const auto& [file, bytes] : files_below("cpr_state/seeds", ".bin")) {
    TransferInput input = decode_transfer(bytes);
    if (needs_socket(input)) continue;
    EXPECT_EQ(arrival(input), transfer(bytes)) << file;
    ++compared;
  }
  EXPECT_GE(compared, 20u);
}

TEST(Seeds, OfACprExecStateShowWhatTheirNameSays) {
  const std::map<std::string, std::string> refused = {{"variable_is_absent.bin", "bad_environment"},
                                                      {"variable_is_negative.bin", "bad_environment"},
                                                      {"variable_names_a_closed_descriptor.bin", "bad_environment"},
                                                      {"state_is_an_eventfd.bin", "bad_environment"},
                                                      {"second_descriptor_is_closed.bin", "bad_descriptor"}};
  for (const auto& [file, bytes] : files_below("cpr_exec_state/seeds", ".bin")) {
    auto expected = refused.find(file);
    EXPECT_EQ(exec(bytes), expected == refused.end() ? "loaded" : expected->second) << file;
  }
}

TEST(Seeds, CapturesLoadAndAreSavedAsTheyWere) {
  for (const auto& [file, bytes] : files_below("captures", ".cpr.bin")) EXPECT_EQ(transfer(bytes), "loaded") << file;
  for (const auto& [file, bytes] : files_below("captures", ".cprexec.bin")) EXPECT_EQ(exec(bytes), "loaded") << file;
}

TEST(Seeds, MainStreamsComeApartAndTogetherAgain) {
  auto streams = files_below("captures", ".main.bin");
  streams.merge(files_below("main_stream/seeds", ".bin"));
  for (const auto& [file, bytes] : streams) {
    auto stream = std::as_bytes(std::span(bytes));
    vmstate::ParsedMainStream parsed = vmstate::parse_main_stream(stream);
    EXPECT_FALSE(parsed.error) << file << ": " << parsed.error->message();
    EXPECT_TRUE(std::ranges::equal(encode_main_stream(parsed.document), stream)) << file;
  }
}

}  // namespace
}  // namespace vcpr::streams
