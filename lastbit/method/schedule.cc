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
    throw InputError(
        cat("[",
            option,
            "] '",
            whole,
            "' is not a schedule, expected a positive number, FIRST..LAST, "
            "FIRST*FACTOR, FIRST*FACTOR@PERIOD, FIRST/DIVISOR@POINT,... or cosine:FIRST, and "
            ",warm:SHARE after it for a rise over a share of the run"));
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

double Progress::round_fraction() const noexcept {
  const double rounds = static_cast<double>(std::max<std::int64_t>(1, total_rounds - 1));
  return std::min(1.0, static_cast<double>(round) / rounds);
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
  constexpr std::string_view kWarmTag = ",warm:";
  const auto tag = text.find(kWarmTag);
  Schedule schedule = parse_form(text.substr(0, tag), text, option);
  if (tag == std::string_view::npos) return schedule;
  schedule.warm_ = parse_positive(text.substr(tag + kWarmTag.size()), text, option);
  if (schedule.warm_ >= 1.0) {
    throw InputError(
        cat("[", option, "] '", text, "' is not a schedule, expected a warm-up below 1"));
  }
  return schedule;
}

Schedule Schedule::parse_form(std::string_view text,
                              std::string_view whole,
                              std::string_view option) {
  constexpr std::string_view kCosineTag = "cosine:";
  Schedule schedule(1.0);
  if (text.starts_with(kCosineTag)) {
    schedule.kind_ = Kind::kCosine;
    schedule.first_ = parse_positive(text.substr(kCosineTag.size()), whole, option);
  } else if (const auto dots = text.find(".."); dots != std::string_view::npos) {
    schedule.kind_ = Kind::kGeometric;
    schedule.first_ = parse_positive(text.substr(0, dots), whole, option);
    schedule.last_ = parse_positive(text.substr(dots + 2), whole, option);
  } else if (const auto star = text.find('*'); star != std::string_view::npos) {
    const auto at = text.find('@');
    schedule.kind_ = Kind::kFactor;
    schedule.first_ = parse_positive(text.substr(0, star), whole, option);
    const auto factor = text.substr(star + 1, at == std::string_view::npos ? at : at - star - 1);
    schedule.last_ = parse_positive(factor, whole, option);
    if (at != std::string_view::npos) schedule.read_unit(text.substr(at + 1), whole, option);
  } else if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto at = std::min(text.find('@'), text.size());
    schedule.kind_ = Kind::kDrops;
    schedule.first_ = parse_positive(text.substr(0, slash), whole, option);
    schedule.last_ =
        parse_positive(text.substr(slash + 1, at - std::min(at, slash + 1)), whole, option);
    schedule.read_drops(text.substr(std::min(at + 1, text.size())), whole, option);
  } else {
    schedule.first_ = parse_positive(text, whole, option);
  }
  return schedule;
}

// "80,120,150", "0.4,0.6,0.75"
void Schedule::read_drops(std::string_view list, std::string_view whole, std::string_view option) {
  bool fits = true;
  for (std::size_t begin = 0; begin <= list.size();) {
    const auto end = std::min(list.find(',', begin), list.size());
    const double point = parse_positive(list.substr(begin, end - begin), whole, option);
    const bool is_share = point < 1.0;
    fits = fits && (is_share || point == std::floor(point)) &&
           (drops_.empty() || (point > drops_.back() && is_share == (drops_.front() < 1.0)));
    drops_.push_back(point);
    begin = end + 1;
  }
  if (fits) return;
  throw InputError(cat("[",
                       option,
                       "] '",
                       whole,
                       "' is not a schedule, expected rising whole numbers of epochs or rounds "
                       "after the @, or rising shares of the run below 1"));
}

// "round", "2epochs", "30000steps"
void Schedule::read_unit(std::string_view unit, std::string_view whole, std::string_view option) {
  const auto [rest, error] = std::from_chars(unit.data(), unit.data() + unit.size(), every_);
  if (error == std::errc{}) unit.remove_prefix(static_cast<std::size_t>(rest - unit.data()));
  if (unit.ends_with('s')) unit.remove_suffix(1);
  if (unit == "epoch") unit_ = Unit::kEpochs;
  if (unit == "round") unit_ = Unit::kRounds;
  if (unit == "step") unit_ = Unit::kSteps;
  if (unit_ == Unit::kNatural || every_ < 1 || error == std::errc::result_out_of_range) {
    throw InputError(cat("[",
                         option,
                         "] '",
                         whole,
                         "' is not a schedule, expected @epoch, @round, or a number of epochs, "
                         "rounds or steps after the factor, as 0.1*0.5@30epochs"));
  }
}

double Schedule::at(const Progress& at, Over over) const noexcept {
  if (warm_ == 0.0) return form_at(at, over);
  // That of the first step is one part of the rise, not 0, which would be no step.
  const std::int64_t done = over == Over::kSteps ? at.step : at.round;
  const std::int64_t total = over == Over::kSteps ? at.total_steps : at.total_rounds;
  const double rise = warm_ * static_cast<double>(std::max<std::int64_t>(1, total));
  return form_at(at, over) * std::min(1.0, static_cast<double>(done + 1) / rise);
}

double Schedule::form_at(const Progress& at, Over over) const noexcept {
  const double fraction = over == Over::kSteps ? at.fraction() : at.round_fraction();
  switch (kind_) {
    case Kind::kConstant:
      return first_;
    case Kind::kGeometric:
      return first_ * std::pow(last_ / first_, fraction);
    case Kind::kFactor:
      return first_ * std::pow(last_, static_cast<double>(periods(at, over)));
    case Kind::kDrops:
      return first_ / std::pow(last_, static_cast<double>(drops(at, over)));
    case Kind::kCosine:
      return first_ * 0.5 * (1.0 + std::cos(std::numbers::pi * fraction));
  }
  return first_;
}

std::int64_t Schedule::drops(const Progress& at, Over over) const noexcept {
  const bool shares = drops_.front() < 1.0;
  const double fraction = over == Over::kSteps ? at.fraction() : at.round_fraction();
  const double done = shares ? fraction : static_cast<double>(periods(at, over));
  return std::upper_bound(drops_.begin(), drops_.end(), done) - drops_.begin();
}

std::int64_t Schedule::periods(const Progress& at, Over over) const noexcept {
  switch (unit_) {
    case Unit::kNatural:
      return over == Over::kSteps ? at.epoch : at.round;
    case Unit::kEpochs:
      return at.epoch / every_;
    case Unit::kRounds:
      return at.round / every_;
    case Unit::kSteps:
      return at.step / every_;
  }
  return 0;
}

std::string Schedule::text() const {
  return warm_ == 0.0 ? form_text() : cat(form_text(), ",warm:", shortest(warm_));
}

std::string Schedule::form_text() const {
  switch (kind_) {
    case Kind::kConstant:
      break;
    case Kind::kGeometric:
      return cat(shortest(first_), "..", shortest(last_));
    case Kind::kFactor:
      return cat(shortest(first_), "*", shortest(last_), unit_text());
    case Kind::kDrops:
      return cat(shortest(first_), "/", shortest(last_), "@", drops_text());
    case Kind::kCosine:
      return cat("cosine:", shortest(first_));
  }
  return shortest(first_);
}

std::string Schedule::drops_text() const {
  std::vector<std::string> points;
  for (const double point : drops_) points.push_back(shortest(point));
  return join(points, ",");
}

std::string Schedule::unit_text() const {
  if (unit_ == Unit::kNatural) return "";
  const std::string_view unit = unit_ == Unit::kEpochs   ? "epoch"
                                : unit_ == Unit::kRounds ? "round"
                                                         : "step";
  return every_ == 1 ? cat("@", unit) : cat("@", every_, unit, "s");
}

}  // namespace lastbit
