#include "lastbit/detect/priors.h"

#include <array>
#include <cmath>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::int64_t kMaxSide = 4096;

void require_positive(double value, std::size_t map, const char* what) {
  if (value > 0.0 && std::isfinite(value)) return;
  throw InputError(
      cat("[priors] maps[", map, "] has ", what, " ", value, ", expected a positive number"));
}

void check(const PriorMap& map, std::size_t index) {
  if (map.height < 1 || map.width < 1 || map.height > kMaxSide || map.width > kMaxSide) {
    throw InputError(cat("[priors] maps[",
                         index,
                         "] is ",
                         map.height,
                         " x ",
                         map.width,
                         ", expected sides of 1, ..., ",
                         kMaxSide));
  }
  require_positive(map.size, index, "size");
  if (map.next_size != 0.0) require_positive(map.next_size, index, "next_size");
  if (map.step != 0.0) require_positive(map.step, index, "step");
  for (const double ratio : map.ratios) require_positive(ratio, index, "a ratio of");
}

// Of the cell in the corner; others are moved.
std::vector<CentredBox> shapes_of(const PriorMap& map) {
  std::vector<CentredBox> shapes;
  const auto add = [&](double width, double height) {
    shapes.push_back({.x = 0.0F,
                      .y = 0.0F,
                      .width = static_cast<float>(width),
                      .height = static_cast<float>(height)});
  };
  add(map.size, map.size);
  if (map.next_size > 0.0) {
    const double between = std::sqrt(map.size * map.next_size);
    add(between, between);
  }
  for (const double ratio : map.ratios) {
    const double root = std::sqrt(ratio);
    add(map.size * root, map.size / root);
    add(map.size / root, map.size * root);
  }
  return shapes;
}

}  // namespace

Box edges(const CentredBox& box) noexcept {
  return {.left = box.x - box.width / 2.0F,
          .top = box.y - box.height / 2.0F,
          .right = box.x + box.width / 2.0F,
          .bottom = box.y + box.height / 2.0F};
}

CentredBox centred(const Box& box) noexcept {
  return {.x = (box.left + box.right) / 2.0F,
          .y = (box.top + box.bottom) / 2.0F,
          .width = box.right - box.left,
          .height = box.bottom - box.top};
}

std::vector<CentredBox> make_priors(std::span<const PriorMap> maps) {
  std::vector<CentredBox> priors;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const PriorMap& map = maps[i];
    check(map, i);
    const std::vector<CentredBox> shapes = shapes_of(map);
    const double step_y = map.step > 0.0 ? map.step : 1.0 / static_cast<double>(map.height);
    const double step_x = map.step > 0.0 ? map.step : 1.0 / static_cast<double>(map.width);
    for (std::int64_t row = 0; row < map.height; ++row) {
      for (std::int64_t column = 0; column < map.width; ++column) {
        for (CentredBox prior : shapes) {
          prior.x = static_cast<float>((static_cast<double>(column) + 0.5) * step_x);
          prior.y = static_cast<float>((static_cast<double>(row) + 0.5) * step_y);
          priors.push_back(prior);
        }
      }
    }
  }
  return priors;
}

std::vector<PriorMap> scaled_prior_maps(std::span<const std::int64_t> sides,
                                        std::span<const std::vector<double>> ratios,
                                        double smallest,
                                        double low,
                                        double high) {
  const std::size_t count = sides.size();
  if (count < 2 || ratios.size() != count) {
    throw InputError(cat("[priors] ",
                         count,
                         " maps and ratios for ",
                         ratios.size(),
                         ", expected two maps or more and ratios for each"));
  }
  // With two maps `low` is that of the second, and the one after it `high`.
  const double step = (high - low) / static_cast<double>(count > 2 ? count - 2 : 1);
  const auto size = [&](std::size_t k) {
    return k == 0 ? smallest : low + step * static_cast<double>(k - 1);
  };
  std::vector<PriorMap> maps;
  for (std::size_t k = 0; k < count; ++k) {
    maps.push_back({.height = sides[k],
                    .width = sides[k],
                    .size = size(k),
                    .next_size = size(k + 1),
                    .ratios = ratios[k]});
  }
  return maps;
}

std::vector<PriorMap> ssd300_prior_maps() {
  const std::array<std::int64_t, 6> sides = {38, 19, 10, 5, 3, 1};
  const std::vector<double> few = {2.0};
  const std::vector<double> many = {2.0, 3.0};
  const std::array<std::vector<double>, 6> ratios = {few, many, many, many, few, few};
  const std::array<double, 6> steps = {8.0, 16.0, 32.0, 64.0, 100.0, 300.0};
  std::vector<PriorMap> maps = scaled_prior_maps(sides, ratios, 0.1, 0.2, 0.88);
  for (std::size_t k = 0; k < maps.size(); ++k) maps[k].step = steps[k] / 300.0;
  return maps;
}

}  // namespace lastbit
