#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lastbit/quant/codebook.h"
#include "lastbit/quant/quantized.h"

namespace lastbit {

/// A set of low-bit weight tensors, known by its exact Euclidean projection.
///
/// An implementation holds options, never state: equal inputs give equal outputs, and one object
/// may serve several threads.
class Projector {
 public:
  virtual ~Projector() = default;

  /// Text form, as "shift:2/channel". `parse_projector(name())` is the same set. Stored in files
  /// and checkpoints: never reuse a name for another set.
  virtual std::string name() const = 0;

  virtual const Codebook& levels() const noexcept = 0;
  virtual Granularity granularity() const noexcept = 0;

  /// Returns a point of the set nearest to `weights`: the global optimum over scales and codes.
  ///
  /// A group of zeros has scale 0. Equal distances are settled as `Codebook::nearest` says, and
  /// between two scales of equal error by the larger one, so the result never depends on the
  /// machine.
  /// @param weights  (layout.size()), row-major as `layout` says.
  /// @throws InputError naming the first weight that is not finite, or if `weights` is empty or its
  ///     size is not `layout.size()`.
  virtual Quantized project(std::span<const float> weights, const ChannelLayout& layout) const = 0;
};

/// A row of the table of sets, for `--help` and error messages.
struct SetInfo {
  std::string_view form;     ///< as it is typed: "shift:N"
  std::string_view summary;  ///< one line
};

/// All sets that `parse_projector` knows, in the order of help texts.
std::span<const SetInfo> known_sets() noexcept;

/// The set named by `text`: a form of `known_sets()`, then "/none", "/tensor" or "/channel" for the
/// scale; "/tensor" where nothing is said.
/// @throws InputError that lists the known forms.
std::shared_ptr<const Projector> parse_projector(std::string_view text);

}  // namespace lastbit
