// The vmdescription of a state, printed while it is saved: JSON in exactly the form QEMU writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vcpr::vmstate {

/// Builds JSON with the separators ", " and ": " and no newlines, as QEMU's JSON writer does.
class DescriptionText {
 public:
  void begin_object() { open('{'); }
  void begin_object(std::string_view key) { open_named(key, '{'); }
  void end_object() { close('}'); }
  void begin_array(std::string_view key) { open_named(key, '['); }
  void end_array() { close(']'); }
  void string(std::string_view key, std::string_view value);
  void integer(std::string_view key, std::uint64_t value);

  const std::string& text() const { return text_; }

 private:
  void open(char bracket);
  void open_named(std::string_view key, char bracket);
  void close(char bracket);
  void key(std::string_view key);
  void quote(std::string_view value);

  std::string text_;
  bool needs_comma_ = false;
};

}  // namespace vcpr::vmstate
