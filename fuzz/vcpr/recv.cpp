// vcpr recv: takes a CPR state that a QEMU or another process hands over, and shows what came.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fmt/core.h>
#include <fstream>
#include <map>
#include <memory>
#include <vector>

#include "engine/handover/drive.hpp"
#include "engine/handover/exec.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/store/descriptor_kind.hpp"
#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/hand_on.hpp"
#include "fuzz/vcpr/name_and_file.hpp"

namespace vcpr::tool {

namespace {

using handover::CprState;

struct RecvArguments {
  std::vector<std::string> where;
  bool exec = false;
  handover::Peer peer = handover::Peer::current;
  std::vector<std::string> writes;
  unsigned timeout = 30;
};

/// One line: what the kernel says of the entry's descriptor.
Expected<void> show(os::Kernel& kernel, const store::Entry& entry) {
  auto kind = store::kind_of(kernel, entry.number);
  if (!kind) return std::unexpected(kind.error());
  auto stat = kernel.fstat(entry.number);
  if (!stat) return refuse_os(stat.error(), {"fstat of ", vcpr::quoted(entry.key.name)});
  auto seals = kernel.fcntl(entry.number, os::abi::f_get_seals, 0);
  fmt::print("entry {:>4} {:<14} {:>12} {:>2} {}\n", entry.key.id, store::name(*kind), stat->size,
             seals ? std::to_string(*seals) : "-", vcpr::quoted(entry.key.name));
  return {};
}

Expected<void> show(os::Kernel& kernel, const CprState& state) {
  fmt::print("{} entries: id, kind, bytes, seals, name\n", state.descriptors.size());
  for (const store::Entry& entry : state.descriptors) {
    if (auto shown = show(kernel, entry); !shown) return shown;
  }
  fmt::print("{} devices: devid, ioas, hwpt, name\n", state.devices.size());
  for (const auto& [device, ids] : state.devices) {
    fmt::print("device {} {} {} {}\n", ids.devid, ids.ioas_id, ids.hwpt_id, vcpr::quoted(device));
  }
  std::fflush(stdout);  // an exec may follow
  return {};
}

/// Writes what an entry holds, from its beginning to its end, into a file.
Expected<void> write_out(os::Kernel& kernel, const CprState& state, const NameAndFile& wanted) {
  auto number = state.descriptors.find({wanted.name, 0});
  if (!number) return std::unexpected(number.error());
  std::ofstream file(wanted.file, std::ios::binary);
  std::vector<std::byte> buffer(1u << 20);
  for (std::uint64_t offset = 0;;) {
    auto count = kernel.pread(*number, buffer, offset);
    if (!count) return refuse_os(count.error(), {"read of ", vcpr::quoted(wanted.name)});
    if (*count == 0) break;
    file.write(reinterpret_cast<const char*>(buffer.data()), static_cast<std::streamsize>(*count));
    offset += *count;
  }
  file.close();
  if (!file) return refuse(ErrorCode::os_error, {wanted.file.string(), " cannot be written"});
  return {};
}

Expected<void> look_at(os::Kernel& kernel, const CprState& state, const RecvArguments& arguments) {
  if (auto shown = show(kernel, state); !shown) return shown;
  for (const std::string& argument : arguments.writes) {
    if (auto written = write_out(kernel, state, split_name_and_file(argument)); !written) return written;
  }
  return {};
}

Expected<void> recv_by_exec(os::Kernel& kernel, const RecvArguments& arguments) {
  auto state = handover::load_exec_state(kernel, arguments.peer);
  if (!state) return std::unexpected(state.error());
  if (auto looked = look_at(kernel, *state, arguments); !looked) return looked;
  if (arguments.where.empty()) return {};
  return std::unexpected(become(kernel, *state, arguments.where));
}

/// The source hears from us, by a hang-up, only after the next target has hung up on us.
Expected<void> recv_by_transfer(os::Kernel& kernel, const RecvArguments& arguments) {
  const auto timeouts = timeouts_of(arguments.timeout);
  handover::TransferTarget target(kernel, arguments.where.front(), arguments.peer, timeouts);
  if (auto driven = handover::drive(kernel, target); !driven) return driven;
  auto state = target.take_state();
  if (!state) return std::unexpected(state.error());
  if (auto looked = look_at(kernel, *state, arguments); !looked) return looked;
  if (arguments.where.size() > 1) {
    if (auto sent = hand_to_socket(kernel, *state, arguments.where[1], timeouts); !sent) return sent;
  }
  target.acknowledge();
  return {};
}

int recv(const RecvArguments& arguments) {
  if (!arguments.exec && (arguments.where.empty() || arguments.where.size() > 2)) {
    return complain(kMisuse, "recv: one SOCKET and at most one NEXT, or --exec");
  }
  const auto kernel = os::linux_kernel();
  auto received = arguments.exec ? recv_by_exec(*kernel, arguments) : recv_by_transfer(*kernel, arguments);
  return received ? kDone : complain(kRefused, received.error().message());
}

}  // namespace

void add_recv(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("recv", "Take a CPR state from a QEMU or another process");
  auto arguments = std::make_shared<RecvArguments>();
  command->description(
      "Take a CPR state with its descriptors and show what came:\n"
      "  vcpr recv SOCKET                          cpr-transfer: listen at SOCKET for a source\n"
      "  vcpr recv SOCKET NEXT                     and hand the state on to the target that listens at NEXT\n"
      "  vcpr recv --exec                          cpr-exec: the state this process has inherited\n"
      "  vcpr recv --exec -- PROGRAM ARGUMENT...   and become PROGRAM (a path) with it");
  command->add_option("WHERE", arguments->where, "SOCKET [NEXT], or with --exec a program and its arguments");
  command->add_flag("--exec", arguments->exec, "By exec instead of over a socket");
  command->add_option("--accept-peer", arguments->peer, "A writer without device records: 10.0, stub")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, handover::Peer>{{"10.0", handover::Peer::qemu_10_0}, {"stub", handover::Peer::stub}}));
  command->add_option("--write", arguments->writes, "NAME=FILE: write the memory of entry NAME into FILE")
      ->check(is_name_and_file())
      ->allow_extra_args(false);
  command->add_option("--timeout", arguments->timeout, "Seconds for each step of a transfer (30)");
  command->callback([&status, arguments] { status = recv(*arguments); });
}

}  // namespace vcpr::tool
