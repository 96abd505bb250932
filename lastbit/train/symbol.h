#pragma once

#include <dlfcn.h>

namespace lastbit {

/// Sets `function` to what an opened library has under `name`. @return whether there is such.
template <typename Function>
bool find_symbol(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

}  // namespace lastbit
