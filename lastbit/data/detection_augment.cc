#include "lastbit/data/detection_augment.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr int kTrials = 50;
constexpr int kRounds = 100;  // all of them fail with a chance of (6/7)^100
constexpr double kLeastPart = 0.3;
constexpr double kMostUneven = 2.0;
constexpr std::array<double, 6> kOverlaps = {0.1, 0.3, 0.5, 0.7, 0.9, 0.0};

// Uniform in {0, ..., most}.
std::int64_t draw(std::int64_t most, Random& random) noexcept {
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most) + 1));
}

std::int64_t part_of(std::int64_t length, Random& random) noexcept {
  const double part = random.uniform(kLeastPart, 1.0) * static_cast<double>(length);
  return std::max<std::int64_t>(1, std::llround(std::floor(part)));
}

std::optional<ImageWindow> try_to_crop(const ImageWindow& window,
                                       std::span<const LabelledBox> objects,
                                       double least_overlap,
                                       Random& random) {
  ImageWindow crop = window;
  crop.size = {.height = part_of(window.size.height, random),
               .width = part_of(window.size.width, random)};
  crop.left += draw(window.size.width - crop.size.width, random);
  crop.top += draw(window.size.height - crop.size.height, random);
  const double ratio = static_cast<double>(crop.size.width) / static_cast<double>(crop.size.height);
  if (ratio > kMostUneven || ratio < 1.0 / kMostUneven) return std::nullopt;
  const Box edges = {.left = static_cast<float>(crop.left),
                     .top = static_cast<float>(crop.top),
                     .right = static_cast<float>(crop.left + crop.size.width),
                     .bottom = static_cast<float>(crop.top + crop.size.height)};
  const bool overlaps = std::ranges::any_of(
      objects, [&](const LabelledBox& object) { return iou(object.box, edges) >= least_overlap; });
  if (!overlaps || objects_in(crop, objects).empty()) return std::nullopt;
  return crop;
}

}  // namespace

DetectionAugmentation parse_detection_augmentation(std::string_view text) {
  constexpr std::string_view kAll = "ssd";
  constexpr double kMostExpand = 16.0;
  DetectionAugmentation result;
  if (text == kAll) return result;
  if (text == "none" || text == "flip") {
    result = DetectionAugmentation::none();
    result.flip = text == "flip";
    return result;
  }
  if (text.starts_with(kAll)) {
    const std::string_view digits = text.substr(kAll.size());
    const char* end = digits.data() + digits.size();
    const auto [stop, failure] = std::from_chars(digits.data(), end, result.most_expand);
    result.expand = result.most_expand > 1.0;
    if (failure == std::errc{} && stop == end && result.most_expand >= 1.0 &&
        result.most_expand <= kMostExpand) {
      return result;
    }
  }
  throw InputError(cat("[augment] '",
                       text,
                       "' is not understood, expected none, flip, ssd or, with images laid on "
                       "grounds of at most so many times their sides, ssd1, ..., ssd",
                       kMostExpand));
}

ImageWindow draw_expansion(const ImageSize& image, double most, Random& random) noexcept {
  const double ratio = random.uniform(1.0, std::max(most, 1.0));
  ImageWindow window;
  window.size.height = std::llround(std::floor(static_cast<double>(image.height) * ratio));
  window.size.width = std::llround(std::floor(static_cast<double>(image.width) * ratio));
  window.left = -draw(window.size.width - image.width, random);
  window.top = -draw(window.size.height - image.height, random);
  return window;
}

ImageWindow draw_crop(const ImageWindow& window,
                      std::span<const LabelledBox> objects,
                      Random& random) {
  if (objects.empty()) return window;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t choice = random.below(kOverlaps.size() + 1);
    if (choice == kOverlaps.size()) return window;
    for (int trial = 0; trial < kTrials; ++trial) {
      const auto crop = try_to_crop(window, objects, kOverlaps[choice], random);
      if (crop) return *crop;
    }
  }
  return window;
}

BoxedSample augment(DetectionSample sample,
                    const DetectionAugmentation& augmentation,
                    const ImageSize& size,
                    Random& random) {
  if (augmentation.colours) shift_colours(draw_colour_shift(random), sample.image);
  ImageWindow window = whole(sample.image.size);
  if (augmentation.expand && random.below(2) == 1) {
    window = draw_expansion(sample.image.size, augmentation.most_expand, random);
  }
  if (augmentation.crop) window = draw_crop(window, sample.objects, random);
  window.flipped = augmentation.flip && random.below(2) == 1;
  BoxedSample result;
  result.pixels.resize(static_cast<std::size_t>(3 * size.height * size.width));
  cut_window(sample.image, window, size, augmentation.ground, result.pixels);
  result.objects = objects_in(window, sample.objects);
  return result;
}

}  // namespace lastbit
