#include "lastbit/cli/train/contestants.h"

#include <algorithm>
#include <array>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/projector.h"

namespace lastbit {
namespace {

// What the command says of each run itself.
constexpr std::array<std::string_view, 9> kOfTheRun = {
    "model", "method", "codebook", "seed", "run", "out", "force", "json", "config"};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> result;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(separator, begin);
    result.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return result;
}

void refuse_twice(std::string_view what, std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  const auto twice = std::adjacent_find(texts.begin(), texts.end());
  if (twice == texts.end()) return;
  throw InputError(cat("[compare] ", what, " '", *twice, "' comes twice, expected each once"));
}

Contestant parse_contestant(const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  Contestant result{.text = text, .info = &find_method(parts.front()), .options = {}};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    if (equals == std::string::npos && !result.options.empty()) {
      result.options.back() += cat(":", parts[i]);  // of a value, as cosine:0.05
      continue;
    }
    if (equals == std::string::npos || equals == 0) {
      throw InputError(cat("[compare] '",
                           text,
                           "' is not a method with options, expected NAME or "
                           "NAME:OPTION=VALUE:..., as admm:extragradient=true"));
    }
    const std::string_view name = std::string_view(parts[i]).substr(0, equals);
    if (std::find(kOfTheRun.begin(), kOfTheRun.end(), name) != kOfTheRun.end()) {
      throw InputError(cat("[compare] '",
                           text,
                           "' sets '",
                           name,
                           "', which the comparison sets, expected other options"));
    }
    result.options.push_back(cat("--", parts[i]));
  }
  return result;
}

}  // namespace

bool Contestant::sets(std::string_view name) const {
  return std::any_of(options.begin(), options.end(), [&](const std::string& option) {
    return option.starts_with(cat("--", name, "="));
  });
}

std::vector<Contestant> parse_contestants(const std::vector<std::string>& texts) {
  refuse_twice("method", texts);
  std::vector<Contestant> result;
  for (const std::string& text : texts) result.push_back(parse_contestant(text));
  return result;
}

void require_fit(const Contestant& contestant, const std::string& codebook) {
  const torch::NoGradGuard no_gradient;
  Weights weights;
  weights.value = torch::tensor({-2.0F, -1.0F, 1.0F, 2.0F});
  weights.gradient = torch::zeros_like(weights.value);
  weights.layers = {{.name = "any", .layout = {1, 1, 4}, .set = parse_projector(codebook)}};
  make_method(*contestant.info)->begin(std::move(weights));
}

std::vector<std::string> parse_codebooks(const std::vector<std::string>& texts) {
  std::vector<std::string> result;
  for (const std::string& text : texts) {
    for (const std::string& part : split(text, ',')) {
      const bool number =
          !part.empty() && part.find_first_not_of("0123456789+-.e/") == std::string::npos;
      // The last level may have the scale behind it: "1/channel".
      const bool level = number || (part.find('/') != std::string::npos &&
                                    part.find_first_not_of("0123456789+-.e") == part.find('/'));
      if (level && !result.empty() && result.back().starts_with("levels:")) {
        result.back() += cat(",", part);
      } else {
        result.push_back(part);
      }
    }
  }
  refuse_twice("codebook", result);
  for (const std::string& codebook : result) parse_projector(codebook);
  return result;
}

}  // namespace lastbit
