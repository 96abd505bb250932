#include "lastbit/data/digits.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/data/parts.h"

namespace lastbit {
namespace {

constexpr std::int64_t kMaxImages = 1'000'000;
constexpr std::size_t kPixels = std::size_t{kDigitsSide} * kDigitsSide;

template <typename Number>
Number parse_number(std::string_view key, std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw InputError(cat("[digits] ",
                         key,
                         " is '",
                         text,
                         "', expected a whole number from 0 to ",
                         std::numeric_limits<Number>::max()));
  }
  return value;
}

void check_count(std::string_view key, std::int64_t count) {
  if (count >= 1 && count <= kMaxImages) return;
  throw InputError(cat("[digits] ", key, " is ", count, ", expected 1, ..., ", kMaxImages));
}

Samples draw_part(std::uint64_t seed, DigitsPart part, std::int64_t count, int threads) {
  Samples samples;
  samples.shape = {1, kDigitsSide, kDigitsSide};
  samples.labels.resize(static_cast<std::size_t>(count));
  samples.values_from = samples.labels_from = "digits";
  std::vector<std::uint8_t> images(samples.labels.size() * kPixels);
  parallel_for(samples.labels.size(), threads, [&](std::size_t begin, std::size_t end) {
    draw_digits(seed,
                part,
                static_cast<std::int64_t>(begin),
                std::span(images).subspan(begin * kPixels, (end - begin) * kPixels),
                std::span(samples.labels).subspan(begin, end - begin));
  });
  samples.values = std::move(images);
  return samples;
}

}  // namespace

DigitsOptions parse_digits_options(std::string_view text) {
  DigitsOptions options;
  std::array<bool, 3> seen{};
  const auto once = [&](std::size_t key, std::string_view name) {
    if (std::exchange(seen[key], true)) {
      throw InputError(cat("[digits] ", name, " is given twice"));
    }
  };
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t equals = item.find('=');
    const std::string_view key = item.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    if (key == "seed") {
      once(0, key);
      options.seed = parse_number<std::uint64_t>(key, value);
    } else if (key == "train") {
      once(1, key);
      options.train = parse_number<std::int64_t>(key, value);
      check_count(key, options.train);
    } else if (key == "test") {
      once(2, key);
      options.test = parse_number<std::int64_t>(key, value);
      check_count(key, options.test);
    } else {
      throw InputError(cat("[digits] unknown key '",
                           key,
                           "', expected seed, train or test as in digits:seed=3,train=20000"));
    }
    if (comma == std::string_view::npos) return options;
    text.remove_prefix(comma + 1);
  }
}

Dataset make_digits(const DigitsOptions& options, int threads) {
  check_count("train", options.train);
  check_count("test", options.test);
  // Few images need not show every digit; there are ten classes all the same.
  return make_dataset("digits",
                      {},
                      draw_part(options.seed, DigitsPart::kTrain, options.train, threads),
                      draw_part(options.seed, DigitsPart::kTest, options.test, threads),
                      10);
}

}  // namespace lastbit
