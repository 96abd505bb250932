#pragma once

#include <algorithm>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "lastbit/method/registry.h"

// What GoogleTest calls the rows of the table of methods.

namespace lastbit {

// For GoogleTest, which would print the row's bytes.
inline void PrintTo(const MethodInfo& info, std::ostream* out) { *out << info.name; }

inline std::string test_name(const testing::TestParamInfo<MethodInfo>& parameter) {
  std::string name(parameter.param.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace lastbit
