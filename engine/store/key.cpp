#include "engine/store/key.hpp"

namespace vcpr::store {

Expected<void> check_name(std::string_view name) {
  if (is_name(name)) return {};
  if (name.empty()) return refuse(ErrorCode::bad_text, {"a name is empty"});
  if (name.size() > kMaxNameBytes) {
    return refuse(ErrorCode::bad_length, {"name ", quoted(name), " has ", Decimal(std::uint64_t{name.size()}),
                                          " bytes, at most ", Decimal(std::uint64_t{kMaxNameBytes}), " are allowed"});
  }
  return refuse(ErrorCode::bad_text, {"name ", quoted(name), " has a NUL inside"});
}

std::string describe(Key key) {
  std::string text = "entry ";
  text += quoted(key.name);
  text += " id ";
  text += std::string_view(Decimal(key.id));
  return text;
}

}  // namespace vcpr::store
