// Every recorded handover of a VM with VFIO devices, taken up by this engine: its own save is equal, field by field.
#include <gtest/gtest.h>

#include "properties/captures/recorded_vm.hpp"

namespace vcpr::captures {

namespace {

using lifecycle::Mode;
using machine::DeviceModel;

const RecordedDevice kIgb = {DeviceModel::igb, "0000:00:07.0", 3, 2, "0000:00:05.0"};
const RecordedDevice kEdu = {DeviceModel::edu, "0000:00:05.0", 1, 0, "0000:00:04.0"};

std::vector<Recording> recordings() {
  return {{"legacy_igb_kvm_transfer", Mode::cpr_transfer, false, {kIgb}},
          {"legacy_igbmsixm_kvm_transfer", Mode::cpr_transfer, false, {kIgb}},
          {"legacy_igbx_kvm_transfer", Mode::cpr_transfer, false, {kIgb}},
          {"legacy_edu_kvm_transfer", Mode::cpr_transfer, false, {kEdu}},
          {"iommufd_igb_kvm_transfer", Mode::cpr_transfer, true, {kIgb}},
          {"iommufd_two_kvm_transfer", Mode::cpr_transfer, true, {kEdu, kIgb}},
          {"iommufd_igb_kvm_exec", Mode::cpr_exec, true, {kIgb}}};
}

/// "" or the first byte that differs.
std::string difference(const streams::Stream& recorded, const streams::Stream& saved) {
  if (recorded.size() != saved.size()) {
    return std::to_string(saved.size()) + " bytes, recorded " + std::to_string(recorded.size());
  }
  for (std::size_t i = 0; i < saved.size(); ++i) {
    if (recorded[i] == saved[i]) continue;
    return "byte " + std::to_string(i) + " is " + std::to_string(std::to_integer<int>(saved[i])) + ", recorded " +
           std::to_string(std::to_integer<int>(recorded[i]));
  }
  return "";
}

struct CapturedVm : testing::TestWithParam<Recording> {};
INSTANTIATE_TEST_SUITE_P(Of, CapturedVm, testing::ValuesIn(recordings()),
                         [](const auto& each) { return each.param.name; });

TEST_P(CapturedVm, IsTakenUpAndSavedAgainFieldByField) {
  RecordedVm vm(GetParam());
  Expected<void> done = vm.prepare();
  ASSERT_TRUE(done) << done.error().message();
  done = vm.arrive();
  ASSERT_TRUE(done) << done.error().message();
  done = vm.save();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(difference(vm.recorded_cpr, vm.saved_cpr), "") << "keys, numbers, device records";
  const Fields recorded = RecordedVm::fields_of(vm.recorded_main);
  Fields saved = RecordedVm::fields_of(vm.saved_main);
  EXPECT_GE(recorded.size(), 150u);
  for (const auto& [path, bytes] : recorded) {
    ASSERT_TRUE(saved.contains(path)) << path << " is not saved";
    EXPECT_EQ(difference(bytes, saved[path]), "") << path;
  }
  EXPECT_EQ(recorded.size(), saved.size());
}

/// What the old process of this engine has made is what QEMU had made: no key more or less, the same ids.
TEST_P(CapturedVm, HasTheKeysAndIdsThatThisEngineGivesTheSameDevices) {
  RecordedVm vm(GetParam());
  Expected<void> done = vm.prepare();
  ASSERT_TRUE(done) << done.error().message();
  const store::CprState& ours = vm.old_side().vm->life().cpr;
  std::size_t entries = ours.descriptors.size();
  done = vm.arrive();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(vm.arrived().descriptors.size(), entries);
  for (const auto record : vm.arrived().devices) {
    Expected<store::DeviceIds> ids = ours.devices.find(record.device);
    ASSERT_TRUE(ids) << record.device;
    EXPECT_EQ(ids->devid, record.ids.devid) << record.device;
    EXPECT_EQ(ids->ioas_id, record.ids.ioas_id) << record.device;
    EXPECT_EQ(ids->hwpt_id, record.ids.hwpt_id) << record.device;
  }
}

}  // namespace
}  // namespace vcpr::captures
