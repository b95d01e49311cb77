// The objects of one iommufd and their ids (drivers/iommu/iommufd/main.c).
#pragma once

#include <cstdint>

namespace vcpr::machine {

enum class ObjectKind : std::uint8_t { ioas, hwpt, device, fault };

/// Lives in the arena.
struct IommufdObject {
  explicit IommufdObject(ObjectKind what) : kind(what) {}

  ObjectKind kind;
  std::uint32_t id = 0;
  std::uint32_t users = 0;  ///< others that hold it: DESTROY is EBUSY above 0
  IommufdObject* next = nullptr;
};

/// One namespace for all kinds, in order of the ids.
class ObjectTable {
 public:
  /// Gives the smallest free id from 1 on (_iommufd_object_alloc).
  void insert(IommufdObject& object);
  void remove(IommufdObject& object);
  /// Null when no object has this id.
  IommufdObject* find(std::uint32_t id) const;
  IommufdObject* first() const { return first_; }

 private:
  IommufdObject* first_ = nullptr;
};

}  // namespace vcpr::machine
