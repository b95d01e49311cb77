// vcpr send: a recorded CPR state with fresh descriptors, handed to a process that waits for one.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/core.h>
#include <memory>
#include <span>

#include "engine/os/linux_kernel.hpp"
#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/fresh_descriptors.hpp"
#include "fuzz/vcpr/hand_on.hpp"
#include "fuzz/vcpr/name_and_file.hpp"
#include "fuzz/vcpr/whole_file.hpp"

namespace vcpr::tool {

namespace {

struct SendArguments {
  std::vector<std::string> to;
  bool exec = false;
  std::filesystem::path state;
  std::filesystem::path sidecar;
  std::vector<std::string> contents;
  unsigned timeout = 30;
};

/// Writes a file over the beginning of what the entry holds.
std::expected<void, std::string> fill(os::Kernel& kernel, const handover::CprState& state, const NameAndFile& content) {
  auto number = state.descriptors.find({content.name, 0});
  if (!number) return std::unexpected(number.error().message());
  auto text = read_whole_file(content.file);
  if (!text) return std::unexpected(text.error());
  const auto bytes = std::as_bytes(std::span(*text));
  std::size_t done = 0;
  while (done < bytes.size()) {
    auto written = kernel.pwrite(*number, bytes.subspan(done), done);
    if (!written) return std::unexpected(refuse_os(written.error(), {"write to ", content.name}).error().message());
    done += *written;
  }
  return {};
}

std::expected<handover::CprState, std::string> build_state(os::Kernel& kernel, const SendArguments& arguments) {
  auto stream = read_whole_file(arguments.state);
  if (!stream) return std::unexpected(stream.error());
  auto sidecar = read_sidecar(arguments.sidecar.empty() ? sidecar_of(arguments.state) : arguments.sidecar);
  if (!sidecar) return std::unexpected(sidecar.error());
  auto state = fresh_state(kernel, std::as_bytes(std::span(*stream)), *sidecar);
  if (!state) return std::unexpected(arguments.state.string() + ": " + state.error().message());
  for (const std::string& argument : arguments.contents) {
    if (auto filled = fill(kernel, *state, split_name_and_file(argument)); !filled) {
      return std::unexpected(filled.error());
    }
  }
  return std::move(*state);
}

int send(const SendArguments& arguments) {
  if (!arguments.exec && arguments.to.size() != 1) return complain(kMisuse, "send: one SOCKET, or --exec PROGRAM");
  const auto kernel = os::linux_kernel();
  auto state = build_state(*kernel, arguments);
  if (!state) return complain(kRefused, state.error());
  if (arguments.exec) return complain(kRefused, become(*kernel, *state, arguments.to).message());
  auto sent = hand_to_socket(*kernel, *state, arguments.to.front(), timeouts_of(arguments.timeout));
  if (!sent) return complain(kRefused, sent.error().message());
  fmt::print("sent {} entries, {} devices; the target has hung up\n", state->descriptors.size(), state->devices.size());
  return kDone;
}

}  // namespace

void add_send(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("send", "Hand a recorded CPR state to a QEMU or another process");
  auto arguments = std::make_shared<SendArguments>();
  command->description(
      "Build a recorded CPR state anew, with fresh descriptors of the kinds its sidecar describes, and hand it over:\n"
      "  vcpr send SOCKET --state STREAM                        cpr-transfer to the process that listens at SOCKET\n"
      "  vcpr send --exec --state STREAM -- PROGRAM ARGUMENT... cpr-exec: become PROGRAM (a path)");
  command->add_option("TO", arguments->to, "SOCKET, or with --exec the program and its arguments")->required();
  command->add_flag("--exec", arguments->exec, "By exec instead of over a socket");
  command->add_option("--state", arguments->state, "CPR state as it was recorded from a transfer")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--sidecar", arguments->sidecar, "What its descriptors are (default: .json beside the state)")
      ->check(CLI::ExistingFile);
  command->add_option("--content", arguments->contents, "NAME=FILE: fill the memory of entry NAME from FILE")
      ->check(is_name_and_file())
      ->allow_extra_args(false);
  command->add_option("--timeout", arguments->timeout, "Seconds for each step of a transfer (30)");
  command->callback([&status, arguments] { status = send(*arguments); });
}

}  // namespace vcpr::tool
