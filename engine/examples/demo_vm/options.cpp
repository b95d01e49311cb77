#include "engine/examples/demo_vm/options.hpp"

#include <charconv>

namespace vcpr::demo {

Expected<DeviceOptions> parse_device(std::string_view text) {
  const auto wrong = [text] { return refuse(ErrorCode::bad_value, {"device ", quoted(text), ": not ADDRESS=KIND"}); };
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return wrong();
  DeviceOptions device{.address = std::string(text.substr(0, equals))};
  const std::string_view kind = text.substr(equals + 1);
  if (kind == "intx") {
    device.kind = InterruptKind::intx;
  } else if (kind == "msi") {
    device.kind = InterruptKind::msi;
  } else if (kind.starts_with("msix:")) {
    device.kind = InterruptKind::msix;
    const std::string_view count = kind.substr(5);
    const auto [end, error] = std::from_chars(count.begin(), count.end(), device.vectors);
    if (error != std::errc{} || end != count.end()) return wrong();
    if (device.vectors == 0 || device.vectors > kMaxVectorsOfADevice) return wrong();
  } else {
    return wrong();
  }
  return device;
}

}  // namespace vcpr::demo
