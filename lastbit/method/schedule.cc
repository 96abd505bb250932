#include "lastbit/method/schedule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

double parse_positive(std::string_view text, std::string_view whole, std::string_view option) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) ||
      value <= 0.0) {
    throw InputError(cat("[",
                         option,
                         "] '",
                         whole,
                         "' is not a schedule, expected a positive number, FIRST..LAST, "
                         "FIRST*FACTOR or cosine:FIRST"));
  }
  return value;
}

// The shortest text that reads back as the same number.
std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

}  // namespace

double Progress::fraction() const noexcept {
  if (total_steps <= 0) return 0.0;
  return std::min(1.0, static_cast<double>(step) / static_cast<double>(total_steps));
}

Schedule Schedule::geometric(double first, double last) noexcept {
  Schedule schedule(first);
  schedule.kind_ = Kind::kGeometric;
  schedule.last_ = last;
  return schedule;
}

Schedule Schedule::cosine(double first) noexcept {
  Schedule schedule(first);
  schedule.kind_ = Kind::kCosine;
  return schedule;
}

Schedule Schedule::parse(std::string_view text, std::string_view option) {
  constexpr std::string_view kCosineTag = "cosine:";
  Schedule schedule(1.0);
  if (text.starts_with(kCosineTag)) {
    schedule.kind_ = Kind::kCosine;
    schedule.first_ = parse_positive(text.substr(kCosineTag.size()), text, option);
  } else if (const auto dots = text.find(".."); dots != std::string_view::npos) {
    schedule.kind_ = Kind::kGeometric;
    schedule.first_ = parse_positive(text.substr(0, dots), text, option);
    schedule.last_ = parse_positive(text.substr(dots + 2), text, option);
  } else if (const auto star = text.find('*'); star != std::string_view::npos) {
    schedule.kind_ = Kind::kFactor;
    schedule.first_ = parse_positive(text.substr(0, star), text, option);
    schedule.last_ = parse_positive(text.substr(star + 1), text, option);
  } else {
    schedule.first_ = parse_positive(text, text, option);
  }
  return schedule;
}

double Schedule::at(double fraction, std::int64_t period) const noexcept {
  switch (kind_) {
    case Kind::kConstant:
      return first_;
    case Kind::kGeometric:
      return first_ * std::pow(last_ / first_, fraction);
    case Kind::kFactor:
      return first_ * std::pow(last_, static_cast<double>(period));
    case Kind::kCosine:
      return first_ * 0.5 * (1.0 + std::cos(std::numbers::pi * fraction));
  }
  return first_;
}

std::string Schedule::text() const {
  switch (kind_) {
    case Kind::kConstant:
      break;
    case Kind::kGeometric:
      return cat(shortest(first_), "..", shortest(last_));
    case Kind::kFactor:
      return cat(shortest(first_), "*", shortest(last_));
    case Kind::kCosine:
      return cat("cosine:", shortest(first_));
  }
  return shortest(first_);
}

}  // namespace lastbit
