// A CPR state that has arrived, without the socket: what a receiver would hold, in one process.
#pragma once

#include "engine/wire/inbox.hpp"
#include "properties/machine/machine.hpp"
#include "properties/streams/transfer_input.hpp"

namespace vcpr::streams {

/// The stream of an input that needs no socket, and its descriptors in `target`, as wire::SocketReceiver leaves them
/// after the half-close. What would ride behind the last byte never arrives.
wire::Inbox arrive(const TransferInput& input, machine::Process& target);

}  // namespace vcpr::streams
