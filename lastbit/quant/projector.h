#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lastbit/quant/codebook.h"
#include "lastbit/quant/quantized.h"

namespace lastbit {

/// What a projection may be told besides the weights.
struct ProjectionHints {
  /// The weight of each squared error, (layout.size()), finite and not negative, such as the
  /// diagonal of a Hessian; empty: all equal. Weights of importance 0 take no part in the fit and
  /// still get their nearest code. Where all importances of a group are 0, they count as equal.
  std::span<const float> importance = {};

  /// An earlier projection of nearly the same weights to the same set. Learned codebooks, and
  /// alternating projection, start from it and return a local optimum nearby, which is fast inside
  /// training; sets that are exact ignore it.
  const Quantized* start = nullptr;
};

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

  /// The levels before any scale; null where they are learned from the weights.
  virtual const Codebook* levels() const noexcept = 0;

  /// How many levels there are, fixed or learned.
  virtual int size() const noexcept = 0;

  virtual Granularity granularity() const noexcept = 0;

  /// Whether the set is for the matrices of recurrent layers alone, with a whole gate, and not one
  /// of its rows, as a channel of the layout: one scale a gate.
  virtual bool by_gate() const noexcept { return false; }

  /// Returns a point of the set nearest to `weights`: the global optimum over scales, codes and, if
  /// learned, levels, but for rounding: sums are taken in double, scales and learned levels are
  /// rounded to float.
  ///
  /// A group of zeros has scale 0, and so has one that no positive scale brings nearer. Equal
  /// distances are settled as `Codebook::nearest` says, and between two scales of equal error by
  /// the larger one, so the result never depends on the machine.
  /// @param weights  (layout.size()), row-major as `layout` says.
  /// @throws InputError naming the first weight that is not finite, or the first importance that is
  ///     negative or not finite; or if `weights` is empty or its size is not `layout.size()`, that
  ///     of the importance differs, or `start` is of another size or set.
  virtual Quantized project(std::span<const float> weights,
                            const ChannelLayout& layout,
                            const ProjectionHints& hints = {}) const = 0;
};

/// A row of the table of sets, for `--help` and error messages.
struct SetInfo {
  std::string_view form;     ///< as it is typed: "shift:N"
  std::string_view summary;  ///< one line
};

/// All sets that `parse_projector` knows, in the order of help texts.
std::span<const SetInfo> known_sets() noexcept;

/// The set named by `text`: a form of `known_sets()`, then "/none", "/tensor", "/channel", "/gate"
/// (`Projector::by_gate`) or "/group:n" (n consecutive weights of a channel) for the scale,
/// "/tensor" where nothing is said; then, where there is a scale, "/alternating" for the
/// alternating projection of the papers, which finds a local optimum. Learned levels have no scale:
/// "/none", or nothing.
/// @throws InputError that says what is wrong, or lists the known forms.
std::shared_ptr<const Projector> parse_projector(std::string_view text);

}  // namespace lastbit
