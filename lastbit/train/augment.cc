#include "lastbit/train/augment.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/method/sent.h"

namespace lastbit {
namespace {

using Crop = Augmentation::Crop;

// Stream of the seed, beside those of the order and of dropout.
constexpr std::uint64_t kStream = 0x6175676d656e74;

constexpr std::int64_t kMaxAmount = 4096;

[[noreturn]] void refuse(std::string_view text) {
  throw InputError(cat("[augment] '",
                       text,
                       "' is not understood, expected none, flip, or pad4, reflect4, crop224 or "
                       "resized224 with another number, alone or with -flip"));
}

/// Where a sample's crop lies, in pixels of the image.
struct Box {
  double top = 0.0;
  double left = 0.0;
  double height = 0.0;
  double width = 0.0;
  bool flip = false;
};

// Inception's crop (Szegedy 2015) as it is commonly done: ten tries, then the largest in the
// middle.
void draw_resized(Random& random, double height, double width, Box& box) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = height * width * random.uniform(0.08, 1.0);
    const double ratio = std::exp(random.uniform(std::log(3.0 / 4.0), std::log(4.0 / 3.0)));
    box.width = std::round(std::sqrt(area * ratio));
    box.height = std::round(std::sqrt(area / ratio));
    if (box.width < 1.0 || box.height < 1.0 || box.width > width || box.height > height) continue;
    box.top =
        static_cast<double>(random.below(static_cast<std::uint64_t>(height - box.height) + 1));
    box.left = static_cast<double>(random.below(static_cast<std::uint64_t>(width - box.width) + 1));
    return;
  }
  box.height = std::min(height, std::round(width * 4.0 / 3.0));
  box.width = std::min(width, std::round(height * 4.0 / 3.0));
  box.top = std::floor((height - box.height) / 2.0);
  box.left = std::floor((width - box.width) / 2.0);
}

Box draw(const Augmentation& augmentation,
         std::int64_t height,
         std::int64_t width,
         const AugmentationSeed& seed,
         std::int64_t sample) {
  Random random(seed.seed ^ kStream,
                static_cast<std::uint64_t>(seed.epoch) << 40U | static_cast<std::uint64_t>(sample));
  Box box{.height = static_cast<double>(height), .width = static_cast<double>(width)};
  box.flip = augmentation.flip && random.below(2) == 1;
  const auto offset = [&](std::int64_t room) {
    return static_cast<double>(random.below(static_cast<std::uint64_t>(room) + 1));
  };
  const auto amount = static_cast<double>(augmentation.amount);
  switch (augmentation.crop) {
    case Crop::kNone:
      break;
    case Crop::kPad:
    case Crop::kReflect:
      box.top = offset(2 * augmentation.amount) - amount;
      box.left = offset(2 * augmentation.amount) - amount;
      break;
    case Crop::kRandom:
      box.height = box.width = amount;
      box.top = offset(height - augmentation.amount);
      box.left = offset(width - augmentation.amount);
      break;
    case Crop::kResized:
      draw_resized(random, static_cast<double>(height), static_cast<double>(width), box);
      break;
  }
  return box;
}

// Whole pixels: what lies at (top + y, left + x), or at the mirrored place.
torch::Tensor take_pixels(const torch::Tensor& images,
                          const Augmentation& augmentation,
                          const std::vector<Box>& boxes,
                          const torch::Tensor& fill) {
  const std::int64_t height = images.size(2);
  const std::int64_t width = images.size(3);
  const std::int64_t out_height = augmentation.cuts() ? augmentation.amount : height;
  const std::int64_t out_width = augmentation.cuts() ? augmentation.amount : width;
  const auto count = static_cast<std::int64_t>(boxes.size());
  // Of each sample: the row and column of its first pixel, and the step from column to column.
  const torch::Tensor places = torch::empty({3, count, 1}, torch::kInt64);
  auto* const place = places.data_ptr<std::int64_t>();
  for (std::int64_t n = 0; n < count; ++n) {
    const Box& box = boxes[static_cast<std::size_t>(n)];
    place[n] = static_cast<std::int64_t>(box.top);
    place[count + n] = static_cast<std::int64_t>(box.left) + (box.flip ? out_width - 1 : 0);
    place[2 * count + n] = box.flip ? -1 : 1;
  }
  const torch::Tensor at = sent_to(images.device(), places);
  const auto integers = at.options();
  torch::Tensor rows = at[0] + torch::arange(out_height, integers);
  torch::Tensor columns = at[1] + at[2] * torch::arange(out_width, integers);

  const auto bring_inside = [&](torch::Tensor& line, std::int64_t size) {
    if (augmentation.crop == Crop::kReflect) {
      line = (size - 1) - ((size - 1) - line.abs()).abs();
      return torch::Tensor();
    }
    torch::Tensor beyond = line.lt(0).logical_or(line.ge(size));
    line = line.clamp(0, size - 1);
    return beyond;
  };
  const torch::Tensor beyond_rows = bring_inside(rows, height);
  const torch::Tensor beyond_columns = bring_inside(columns, width);
  const torch::Tensor pixels = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1);
  torch::Tensor out = images.flatten(2)
                          .gather(2, pixels.unsqueeze(1).expand({-1, images.size(1), -1}))
                          .view({count, images.size(1), out_height, out_width});
  if (augmentation.crop != Crop::kPad) return out;
  const torch::Tensor outside =  // (batch, 1, height, width)
      beyond_rows.unsqueeze(2).logical_or(beyond_columns.unsqueeze(1)).unsqueeze(1);
  const torch::Tensor colour =
      fill.defined() ? fill.view({1, -1, 1, 1}) : torch::zeros({1, 1, 1, 1}, images.options());
  return torch::where(outside, colour, out);
}

// Between pixels, bilinearly: output pixel i lies at left + (i + 1/2) * width / amount of the
// image.
torch::Tensor resample(const torch::Tensor& images,
                       std::int64_t side,
                       const std::vector<Box>& boxes) {
  const auto count = static_cast<std::int64_t>(boxes.size());
  const auto height = static_cast<double>(images.size(2));
  const auto width = static_cast<double>(images.size(3));
  // The transform that `affine_grid` takes: both grids run from -1 to 1.
  const torch::Tensor transforms = torch::zeros({count, 2, 3}, torch::kFloat32);
  auto* row = transforms.data_ptr<float>();
  for (const Box& box : boxes) {
    row[0] = static_cast<float>((box.flip ? -1.0 : 1.0) * box.width / width);
    row[2] = static_cast<float>((2.0 * box.left + box.width) / width - 1.0);
    row[4] = static_cast<float>(box.height / height);
    row[5] = static_cast<float>((2.0 * box.top + box.height) / height - 1.0);
    row += 6;
  }
  const torch::Tensor grid = at::affine_grid_generator(sent_to(images.device(), transforms),
                                                       {count, images.size(1), side, side},
                                                       /*align_corners=*/false);
  constexpr std::int64_t kBilinear = 0;
  constexpr std::int64_t kBorder = 1;
  return at::grid_sampler(images, grid, kBilinear, kBorder, /*align_corners=*/false);
}

}  // namespace

Augmentation Augmentation::parse(std::string_view text) {
  Augmentation result;
  if (text == "none") return result;
  std::string_view rest = text;
  if (rest == "flip" || rest.ends_with("-flip")) {
    result.flip = true;
    rest.remove_suffix(rest == "flip" ? 4 : 5);
    if (rest.empty() && text != "flip") refuse(text);
    if (rest.empty()) return result;
  }
  constexpr std::array<std::pair<std::string_view, Crop>, 4> kCrops = {
      {{"pad", Crop::kPad},
       {"reflect", Crop::kReflect},
       {"crop", Crop::kRandom},
       {"resized", Crop::kResized}}};
  for (const auto& [name, crop] : kCrops) {
    if (!rest.starts_with(name)) continue;
    const std::string_view digits = rest.substr(name.size());
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), result.amount);
    if (error != std::errc{} || end != digits.data() + digits.size()) refuse(text);
    if (result.amount < 1 || result.amount > kMaxAmount) refuse(text);
    result.crop = crop;
    return result;
  }
  refuse(text);
}

Shape Augmentation::output_shape(const Shape& sample) const {
  if (!any()) return sample;
  if (sample.size() != 3) {
    throw InputError(cat("[augment] samples of shape ",
                         to_string(sample),
                         " are no images, expected [channels, height, width]"));
  }
  const std::int64_t shorter = std::min(sample[1], sample[2]);
  if (crop == Crop::kRandom && amount > shorter) {
    throw InputError(
        cat("[augment] crop", amount, " is larger than an image, ", to_string(sample)));
  }
  if (crop == Crop::kReflect && amount >= shorter) {
    throw InputError(
        cat("[augment] reflect", amount, " reaches beyond an image, ", to_string(sample)));
  }
  return cuts() ? Shape{sample[0], amount, amount} : sample;
}

torch::Tensor augment(const torch::Tensor& images,
                      const Augmentation& augmentation,
                      std::span<const std::int64_t> samples,
                      const AugmentationSeed& seed,
                      const torch::Tensor& fill) {
  if (!augmentation.any()) return images;
  std::vector<Box> boxes;
  boxes.reserve(samples.size());
  for (const std::int64_t sample : samples) {
    boxes.push_back(draw(augmentation, images.size(2), images.size(3), seed, sample));
  }
  if (augmentation.crop == Crop::kResized) return resample(images, augmentation.amount, boxes);
  return take_pixels(images, augmentation, boxes, fill);
}

torch::Tensor cut_middle(const torch::Tensor& images, const Augmentation& augmentation) {
  if (!augmentation.cuts()) return images;
  const std::int64_t side = augmentation.amount;
  const std::int64_t height = images.size(-2);
  const std::int64_t width = images.size(-1);
  if (side > height || side > width) {  // resized224 may enlarge
    const torch::Tensor batch = images.dim() == 4 ? images : images.unsqueeze(0);
    return at::upsample_bilinear2d(batch, {side, side}, /*align_corners=*/false)
        .view(images.dim() == 4 ? std::vector<std::int64_t>{-1, batch.size(1), side, side}
                                : std::vector<std::int64_t>{batch.size(1), side, side});
  }
  return images.narrow(-2, (height - side) / 2, side).narrow(-1, (width - side) / 2, side);
}

}  // namespace lastbit
