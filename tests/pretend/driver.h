#pragma once

#include <functional>

namespace lastbit::pretend {

/// A stream of the pretended driver: what is put into it is done in order, on a thread of its own.
/// The default stream, null, has always done all: the device's operators are done when they return.
class Stream;

/// Puts `work` into the stream, behind what is there.
void enqueue(void* stream, std::function<void()> work);

}  // namespace lastbit::pretend
