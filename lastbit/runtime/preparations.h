#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "lastbit/runtime/plan_builder.h"
#include "lastbit/runtime/prepare.h"

namespace lastbit {

/// A value made ready for a product.
struct Prepared {
  int slot = -1;
  int scale = -1;  ///< The slot of its InputScale, if it holds integers.
  Plane plane;     ///< How it lies.
};

/// Makes values ready for products, each once for all that need it in the same form.
class Preparations {
 public:
  explicit Preparations(PlanBuilder& plan) : plan_(plan) {}

  /// Notes that the value in `slot` will be wanted with this border, so that the border of what is
  /// made is wide enough for all.
  void expect(const std::string& value, const Plane& plane);

  /// The value, channels last, with the border of `wanted` at least.
  /// @param value  its name, as told to `expect`.
  Prepared plane(const std::string& value, int slot, const Plane& wanted, bool integers);

 private:
  // Slot, then height, width, channels (values of several shapes may share a slot) and stored
  // values of the plane, and whether they are integers.
  using Key = std::tuple<int, std::size_t, std::size_t, std::size_t, std::size_t, bool>;

  PlanBuilder& plan_;
  std::map<std::string, Plane, std::less<>> borders_;
  std::map<Key, Prepared> made_;
};

}  // namespace lastbit
