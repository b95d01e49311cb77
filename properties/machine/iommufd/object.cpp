#include "properties/machine/iommufd/object.hpp"

namespace vcpr::machine {

void ObjectTable::insert(IommufdObject& object) {
  std::uint32_t id = 1;
  IommufdObject** link = &first_;
  for (; *link != nullptr && (*link)->id == id; ++id) link = &(*link)->next;
  object.id = id;
  object.next = *link;
  *link = &object;
}

void ObjectTable::remove(IommufdObject& object) {
  IommufdObject** link = &first_;
  while (*link != &object) link = &(*link)->next;
  *link = object.next;
}

IommufdObject* ObjectTable::find(std::uint32_t id) const {
  IommufdObject* object = first_;
  while (object != nullptr && object->id < id) object = object->next;
  return object != nullptr && object->id == id ? object : nullptr;
}

}  // namespace vcpr::machine
