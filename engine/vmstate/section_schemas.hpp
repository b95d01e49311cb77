// Finds the schema of a section in a vmdescription.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "engine/vmstate/vmdescription.hpp"

namespace vcpr::vmstate {

class SectionSchemas {
 public:
  SectionSchemas() = default;
  /// Without a readable vmdescription nothing is found.
  explicit SectionSchemas(std::span<const std::byte> stream) {
    auto text = find_vmdescription(stream);
    if (!text) return;
    auto parsed = parse_vmdescription(*text);
    if (!parsed) return;
    text_ = *text;
    description_ = std::move(*parsed);
    for (const DeviceSchema& device : description_.devices) {
      by_key_.emplace(std::pair(device.name, device.instance_id), &device);
    }
  }

  const DeviceSchema* find(std::string_view idstr, std::uint32_t instance_id) const {
    auto found = by_key_.find(std::pair(idstr, instance_id));
    return found != by_key_.end() ? found->second : nullptr;
  }

  /// Whether this very text has been read.
  bool has_read(std::string_view text) const { return text_.data() == text.data() && text_.size() == text.size(); }

 private:
  std::string_view text_;
  VmDescription description_;
  std::map<std::pair<std::string_view, std::uint32_t>, const DeviceSchema*> by_key_;
};

}  // namespace vcpr::vmstate
