#pragma once

namespace lastbit {

/// From here on a warning of LibTorch is said once, in one line of standard error, however often
/// LibTorch has it: kernels that cannot give the same bits in every run tell so at each call. Of
/// the calling thread, which also gets those of backward.
void say_warnings_once();

}  // namespace lastbit
