#include "engine/store/key.hpp"

namespace vcpr::store {

Expected<void> check_name(std::string_view name) {
  if (name.empty()) return refuse(ErrorCode::bad_text, {"a name is empty"});
  if (name.size() > kMaxNameBytes) {
    return refuse(ErrorCode::bad_length, {"name ", quoted(name), " has ", Decimal(std::uint64_t{name.size()}),
                                          " bytes, at most ", Decimal(std::uint64_t{kMaxNameBytes}), " are allowed"});
  }
  if (name.find('\0') != std::string_view::npos) {
    return refuse(ErrorCode::bad_text, {"name ", quoted(name), " has a NUL inside"});
  }
  return {};
}

std::string describe(Key key) {
  std::string text = "entry ";
  text += quoted(key.name);
  text += " id ";
  text += std::string_view(Decimal(key.id));
  return text;
}

}  // namespace vcpr::store
