// vcpr demo-vm: a small VM that can be handed over, by hand or by a test.
#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <memory>

#include "engine/examples/demo_vm/process.hpp"
#include "engine/os/linux_kernel.hpp"
#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"

namespace vcpr::tool {

namespace {

struct DemoArguments {
  demo::Options options;
  unsigned ram_mib = 8;
  bool no_kvm = false;
  std::vector<std::string> devices;
  unsigned patience = 5;
};

/// This program, and the arguments a new image of it needs: all but where the last state came from.
std::vector<std::string> command_for_new_image(const CLI::App& command) {
  std::vector<std::string> words{std::filesystem::read_symlink("/proc/self/exe").string(), "demo-vm"};
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->empty() || name == "--incoming" || name == "--main" || name == "--main-file" || name == "--die-at" ||
        name == "--stop-at")
      continue;
    for (const std::string& value : option->results()) {
      words.push_back(name);
      if (option->get_expected_max() != 0) words.push_back(value);
    }
  }
  return words;
}

int demo_vm(DemoArguments& arguments) {
  demo::Options& options = arguments.options;
  options.ram_bytes = std::uint64_t{arguments.ram_mib} << 20;
  options.kvm = !arguments.no_kvm;
  options.patience = os::Duration::seconds(arguments.patience);
  for (const std::string& text : arguments.devices) {
    auto device = demo::parse_device(text);
    if (!device) return complain(kMisuse, device.error().message());
    options.devices.push_back(std::move(*device));
  }
  if (options.devices.size() > demo::kMaxDevices) return complain(kMisuse, "demo-vm: too many devices");
  if (options.incoming.empty() != options.main_socket.empty())
    return complain(kMisuse, "demo-vm: --incoming and --main go together");
  std::signal(SIGPIPE, SIG_IGN);
  const auto kernel = os::linux_kernel();
  return demo::run(*kernel, options) == 0 ? kDone : kRefused;
}

}  // namespace

void add_demo_vm(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("demo-vm", "Run a small VM that can be handed over");
  auto arguments = std::make_shared<DemoArguments>();
  demo::Options& options = arguments->options;
  command->description(
      "Run a VM whose guest counts the interrupts of its passthrough devices, and hand it over:\n"
      "  vcpr demo-vm --device 0000:00:07.0=msix:3                       a fresh one\n"
      "  vcpr demo-vm ... --incoming CPR_SOCKET --main MAIN_SOCKET       one that waits for its state; the same "
      "options\n"
      "Both read commands, one a line:\n" +
      std::string(demo::commands_help()));
  command->add_option("--ram", arguments->ram_mib, "MiB (8)")->check(CLI::Range(1, 1024));
  command->add_option("--device", arguments->devices, "ADDRESS=KIND: intx, msi or msix:VECTORS; bound to vfio-pci")
      ->allow_extra_args(false);
  command->add_flag("--iommufd", options.iommufd, "Devices by cdev and iommufd, not by group and type1");
  command->add_flag("--no-kvm", arguments->no_kvm, "Nothing runs; interrupts are counted by the process");
  command->add_option("--incoming", options.incoming, "Where to listen for the CPR state");
  command->add_option("--main", options.main_socket, "Where to listen for the main stream");
  command->add_option("--main-file", options.main_file, "After exec: the file of the main stream");
  command->add_option("--patience", arguments->patience, "Seconds for each step with the other process (5)");
  command->add_option("--die-at", options.die_at, "Die in this step of an arrival: receiving_state, taking_over ...");
  command->add_option("--stop-at", options.stop_at, "The same, but stop and keep what it holds");
  command->callback([&status, arguments, command] {
    arguments->options.command = command_for_new_image(*command);
    status = demo_vm(*arguments);
  });
}

}  // namespace vcpr::tool
