#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/data/image.h"
#include "lastbit/detect/suppress.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// Metadata of a detector: a JSON array of the names of its classes.
inline constexpr const char* kClassesKey = "lastbit.classes";

/// True for a graph with the outputs `boxes`, `scores` and `selected`.
bool is_detector(const Graph& graph);

/// The names in the metadata of a detector, by label; empty where it has none.
/// @throws FormatError for what is no list of different texts.
std::vector<std::string> class_names_of(const Graph& graph);

/// What a detector computes for one image: [priors, 4] as top, left, bottom and right in parts of
/// the image, [classes, priors], and rows (class, box) that its NonMaxSuppression selects.
struct DetectorOutputs {
  std::span<const float> boxes;
  std::span<const float> scores;
  std::vector<std::pair<std::int32_t, std::int32_t>> selected;
};

/// The box of four values of `boxes`; corners may stand in either order, as NonMaxSuppression takes
/// them.
Box box_of(std::span<const float, 4> edges) noexcept;

/// What is selected, as detections: highest scores first, then the lower label, then in the order
/// of the selection. Boxes are in pixels and clipped to the image; what lies beyond it is left out.
/// @param min_score  scores are above. @param most  at most so many.
std::vector<Detection> to_detections(const DetectorOutputs& outputs,
                                     const ImageSize& image,
                                     float min_score,
                                     std::size_t most);

/// Stretches an image to `size`, as the input of a network: red, green and blue in [0, 1].
/// @param out  (3, size)
void stretch_to_input(const Image& image, const ImageSize& size, std::span<float> out);

/// A model that ends in NonMaxSuppression, in our runtime. One image at a time.
///
/// Its input is [batch, 3, height, width], red, green and blue in [0, 1]; its outputs are `boxes`
/// [batch, priors, 4], `scores` [batch, classes, priors] and `selected` [n, 3].
class Detector {
 public:
  /// @param file  begins error messages.
  /// @throws InputError for a graph that is no such model, or whose metadata has not one name for
  ///     each class.
  Detector(const Graph& graph, const SessionOptions& options, const std::string& file);

  /// By label; numbers where the file has no names.
  std::span<const std::string> class_names() const noexcept { return class_names_; }

  /// Stretches an image to the input's size and finds what is in it, as `to_detections` says.
  std::vector<Detection> detect(const Image& image, float min_score, std::size_t most);

  /// Height and width of the input.
  const ImageSize& input_size() const noexcept { return size_; }

  /// The outputs for the image that was looked at last.
  DetectorOutputs outputs() const;

 private:
  void check_ports(const std::string& file);

  Session session_;
  std::vector<std::string> class_names_;
  ImageSize size_;
  std::size_t classes_ = 0;
  std::size_t priors_ = 0;
  std::vector<float> input_;
  std::vector<std::vector<float>> arrays_;  // of the outputs
  std::size_t boxes_at_ = 0;                // in `arrays_`
  std::size_t scores_at_ = 0;
  std::size_t selected_at_ = 0;
};

}  // namespace lastbit
