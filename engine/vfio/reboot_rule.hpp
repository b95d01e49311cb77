// What containers of both kinds register and drop alike.
#pragma once

#include <memory>
#include <string>

#include "engine/vfio/vm.hpp"

namespace vcpr::vfio {

/// A participant of cpr-reboot that refuses unless vfio_cpr_reboot_notifier agrees; registered.
std::unique_ptr<lifecycle::Participant> add_reboot_rule(Vm& vm, std::string what);
/// Unregisters and destroys it. Nothing when there is none.
void remove_participant(Vm& vm, std::unique_ptr<lifecycle::Participant>& participant);

}  // namespace vcpr::vfio
