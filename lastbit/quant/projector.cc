#include "lastbit/quant/projector.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/kmeans.h"
#include "lastbit/quant/scaled.h"

namespace lastbit {
namespace {

constexpr std::array<SetInfo, 7> kSets{{
    {"binary", "-1 and +1, one bit a weight"},
    {"ternary", "-1, 0 and +1, 1.6 bits a weight in a file"},
    {"shift:N", "0 and -1, +1, -2, +2, ... up to 2^N of either sign, N from 1 to 6"},
    {"pow2:N", "0 and -1, +1, -1/2, +1/2, ... down to 2^-N of either sign, N from 1 to 6"},
    {"uniform:N", "2^N levels evenly spaced from -1 to 1, N from 1 to 8"},
    {"levels:L", "any levels, ascending, as levels:-1,0,0.5,1"},
    {"kmeans:N", "N levels learned from the weights, N from 2 to 256; takes no scale"},
}};

template <typename... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw InputError(cat("[codebook] ", parts...));
}

[[noreturn]] void refuse(std::string_view text) {
  std::array<std::string_view, kSets.size()> forms;
  for (std::size_t i = 0; i < kSets.size(); ++i) forms[i] = kSets[i].form;
  fail("unknown set '",
       text,
       "', expected one of ",
       join(forms),
       ", then /none, /tensor (the default), /channel, /gate or /group:N, then /alternating or "
       "nothing");
}

// The whole number that `digits` is, in its one shortest way of writing.
std::optional<std::int64_t> whole_number(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (cat(value) != digits) return std::nullopt;
  return value;
}

int number(std::string_view text, std::string_view digits, int least, int most) {
  const std::optional<std::int64_t> value = whole_number(digits);
  if (!value || *value < least || *value > most) {
    fail("'", digits, "' in set '", text, "' is not a whole number from ", least, " to ", most);
  }
  return static_cast<int>(*value);
}

// 0, and 2^first to 2^last of either sign.
Codebook powers_of_two(int first, int last) {
  std::vector<float> levels;
  for (int i = last; i >= first; --i) levels.push_back(-std::ldexp(1.0F, i));
  levels.push_back(0.0F);
  for (int i = first; i <= last; ++i) levels.push_back(std::ldexp(1.0F, i));
  return Codebook(std::move(levels));
}

Codebook uniform(int bits) {
  const int last = (1 << bits) - 1;
  std::vector<float> levels;
  for (int i = 0; i <= last; ++i) {
    levels.push_back(static_cast<float>(static_cast<double>(2 * i - last) / last));
  }
  return Codebook(std::move(levels));
}

Codebook listed(std::string_view text, std::string_view list) {
  std::vector<float> levels;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view item = list.substr(begin, end - begin);
    float level = 0.0F;
    const auto [stop, error] = std::from_chars(item.data(), item.data() + item.size(), level);
    if (error != std::errc() || stop != item.data() + item.size()) {
      fail("'", item, "' in set '", text, "' is not a number of float32");
    }
    levels.push_back(level + 0.0F);  // -0 is 0
    begin = end + 1;
  }
  try {
    return Codebook(std::move(levels));
  } catch (const InputError& error) {
    fail("in set '", text, "': ", error.what());
  }
}

// The shortest text that reads as the same levels.
std::string list_of(const Codebook& levels) {
  std::string text;
  for (const float level : levels.levels()) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), level).ptr;
    if (!text.empty()) text += ',';
    text.append(digits.data(), end);
  }
  return text;
}

ScaleOptions parse_scale(std::string_view text, std::string_view rest) {
  constexpr std::string_view kAlternating = "/alternating";
  constexpr std::string_view kGroup = "/group:";
  ScaleOptions scale;
  if (rest.ends_with(kAlternating)) {
    scale.alternating = true;
    rest.remove_suffix(kAlternating.size());
  }
  if (rest.empty() || rest == "/tensor") return scale;
  if (rest == "/channel") {
    scale.per = Granularity::kChannel;
  } else if (rest == "/gate") {
    scale.per = Granularity::kChannel;
    scale.by_gate = true;
  } else if (rest == "/none") {
    scale.per = Granularity::kNone;
    if (scale.alternating) fail("set '", text, "' has no scale to find by alternating projection");
  } else if (rest.starts_with(kGroup)) {
    scale.per = Granularity::kGroup;
    constexpr int kMostGroup = 1 << 30;
    scale.group = number(text, rest.substr(kGroup.size()), 1, kMostGroup);
  } else {
    refuse(text);
  }
  return scale;
}

}  // namespace

std::span<const SetInfo> known_sets() noexcept { return kSets; }

std::shared_ptr<const Projector> parse_projector(std::string_view text) {
  const std::string_view form = text.substr(0, text.find('/'));
  const std::string_view rest = text.substr(form.size());
  const std::string_view kind = form.substr(0, form.find(':'));
  const bool plain = kind.size() == form.size();
  const std::string_view option = plain ? "" : form.substr(kind.size() + 1);
  if (kind == "kmeans" && !plain) {
    if (!rest.empty() && rest != "/none") {
      fail("set '",
           text,
           "' learns its levels and takes no '",
           rest,
           "', expected /none or nothing");
    }
    return make_kmeans(number(text, option, 2, 256));
  }
  const auto make = [&](std::string name, Codebook levels) {
    return make_scaled(std::move(name), std::move(levels), parse_scale(text, rest));
  };
  const std::string name(form);
  if (form == "binary") return make(name, Codebook({-1.0F, 1.0F}));
  if (form == "ternary") return make(name, Codebook({-1.0F, 0.0F, 1.0F}));
  if (plain) refuse(text);
  if (kind == "shift") return make(name, powers_of_two(0, number(text, option, 1, 6)));
  if (kind == "pow2") return make(name, powers_of_two(-number(text, option, 1, 6), 0));
  if (kind == "uniform") return make(name, uniform(number(text, option, 1, 8)));
  if (kind == "levels") {
    const Codebook levels = listed(text, option);
    return make("levels:" + list_of(levels), levels);
  }
  refuse(text);
}

}  // namespace lastbit
