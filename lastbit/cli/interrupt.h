#pragma once

namespace lastbit {

/// From now on the first Ctrl-C (or SIGTERM) only sets a flag, so that work can end between two
/// steps with nothing half-written; a second one ends the program at once.
void catch_interrupts();
bool interrupted() noexcept;

}  // namespace lastbit
