#include "lastbit/quant/projector.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/symmetric.h"

namespace lastbit {
namespace {

constexpr int kMostShift = 6;

constexpr std::array<SetInfo, 3> kSets{{
    {"binary", "-1 and +1, one bit a weight"},
    {"ternary", "-1, 0 and +1, 1.6 bits a weight in a file"},
    {"shift:N", "0 and -1, +1, -2, +2, ... up to 2^N of either sign, N from 1 to 6"},
}};

// The levels of `form`, as magnitudes; none if there is no such set.
std::optional<std::vector<float>> magnitudes_of(std::string_view form) {
  if (form == "binary") return std::vector<float>{1.0F};
  if (form == "ternary") return std::vector<float>{0.0F, 1.0F};
  constexpr std::string_view kShift = "shift:";
  // One digit: "shift:02" would be a second name for the same set.
  if (form.starts_with(kShift) && form.size() == kShift.size() + 1) {
    const int largest = form.back() - '0';
    if (largest < 1 || largest > kMostShift) return std::nullopt;
    std::vector<float> magnitudes(static_cast<std::size_t>(largest) + 2, 0.0F);
    for (int i = 0; i <= largest; ++i)
      magnitudes[static_cast<std::size_t>(i) + 1] = std::ldexp(1.0F, i);
    return magnitudes;
  }
  return std::nullopt;
}

[[noreturn]] void refuse(std::string_view text) {
  std::array<std::string_view, kSets.size()> forms;
  for (std::size_t i = 0; i < kSets.size(); ++i) forms[i] = kSets[i].form;
  throw InputError(cat("[codebook] unknown set '",
                       text,
                       "', expected one of ",
                       join(forms),
                       " (N from 1 to ",
                       kMostShift,
                       "), then /none, /tensor (the default) or /channel"));
}

}  // namespace

std::span<const SetInfo> known_sets() noexcept { return kSets; }

std::shared_ptr<const Projector> parse_projector(std::string_view text) {
  const std::string_view form = text.substr(0, text.find('/'));
  const std::string_view rest = text.substr(form.size());
  Granularity per = Granularity::kTensor;
  if (!rest.empty()) {
    bool known = false;
    for (const Granularity one :
         {Granularity::kNone, Granularity::kTensor, Granularity::kChannel}) {
      if (rest == suffix(one)) {
        per = one;
        known = true;
      }
    }
    if (!known) refuse(text);
  }
  const std::optional<std::vector<float>> magnitudes = magnitudes_of(form);
  if (!magnitudes) refuse(text);
  return make_symmetric(std::string(form), *magnitudes, per);
}

}  // namespace lastbit
