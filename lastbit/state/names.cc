#include "lastbit/state/names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// torchvision and chenyaofo say fc and downsample, akamaster and kuangliu linear and shortcut.
constexpr std::array kResnet = {
    NameRule{"layer#.#.conv#", "stage#.block#+1.conv#"},
    NameRule{"layer#.#.bn#", "stage#.block#+1.bn#"},
    NameRule{"layer#.#.downsample.0", "stage#.block#+1.shortcut"},
    NameRule{"layer#.#.downsample.1", "stage#.block#+1.shortcut_bn"},
    NameRule{"layer#.#.shortcut.0", "stage#.block#+1.shortcut"},
    NameRule{"layer#.#.shortcut.1", "stage#.block#+1.shortcut_bn"},
    NameRule{"linear", "fc"},
};

// The first block has no expansion.
constexpr std::array kMobilenet = {
    NameRule{"features.0.0", "stem"},
    NameRule{"features.0.1", "stem_bn"},
    NameRule{"features.18.0", "head"},
    NameRule{"features.18.1", "head_bn"},
    NameRule{"features.1.conv.0.0", "block1.depthwise"},
    NameRule{"features.1.conv.0.1", "block1.depthwise_bn"},
    NameRule{"features.1.conv.1", "block1.project"},
    NameRule{"features.1.conv.2", "block1.project_bn"},
    NameRule{"features.#.conv.0.0", "block#.expand"},
    NameRule{"features.#.conv.0.1", "block#.expand_bn"},
    NameRule{"features.#.conv.1.0", "block#.depthwise"},
    NameRule{"features.#.conv.1.1", "block#.depthwise_bn"},
    NameRule{"features.#.conv.2", "block#.project"},
    NameRule{"features.#.conv.3", "block#.project_bn"},
    NameRule{"classifier.1", "fc"},
};

// The auxiliary classifiers serve training alone.
constexpr std::array kGooglenet = {
    NameRule{"aux#.*", ""},
    NameRule{"conv#.conv", "conv#"},
    NameRule{"conv#.bn", "conv#_bn"},
    NameRule{"inception*.branch1.conv", "inception*.branch1"},
    NameRule{"inception*.branch1.bn", "inception*.branch1_bn"},
    NameRule{"inception*.branch4.1.conv", "inception*.branch4.conv"},
    NameRule{"inception*.branch4.1.bn", "inception*.branch4.conv_bn"},
    NameRule{"inception*.branch#.0.conv", "inception*.branch#.reduce"},
    NameRule{"inception*.branch#.0.bn", "inception*.branch#.reduce_bn"},
    NameRule{"inception*.branch#.1.conv", "inception*.branch#.conv"},
    NameRule{"inception*.branch#.1.bn", "inception*.branch#.conv_bn"},
};

// `classifier` alone is that of networks for CIFAR.
constexpr std::array kVggNorm = {
    NameRule{"features.0", "conv1"},   NameRule{"features.1", "bn1"},
    NameRule{"features.3", "conv2"},   NameRule{"features.4", "bn2"},
    NameRule{"features.7", "conv3"},   NameRule{"features.8", "bn3"},
    NameRule{"features.10", "conv4"},  NameRule{"features.11", "bn4"},
    NameRule{"features.14", "conv5"},  NameRule{"features.15", "bn5"},
    NameRule{"features.17", "conv6"},  NameRule{"features.18", "bn6"},
    NameRule{"features.20", "conv7"},  NameRule{"features.21", "bn7"},
    NameRule{"features.24", "conv8"},  NameRule{"features.25", "bn8"},
    NameRule{"features.27", "conv9"},  NameRule{"features.28", "bn9"},
    NameRule{"features.30", "conv10"}, NameRule{"features.31", "bn10"},
    NameRule{"features.34", "conv11"}, NameRule{"features.35", "bn11"},
    NameRule{"features.37", "conv12"}, NameRule{"features.38", "bn12"},
    NameRule{"features.40", "conv13"}, NameRule{"features.41", "bn13"},
    NameRule{"classifier", "fc1"},     NameRule{"classifier.0", "fc1"},
    NameRule{"classifier.3", "fc2"},   NameRule{"classifier.6", "fc3"},
};
constexpr std::array kVggPlain = {
    NameRule{"features.0", "conv1"},
    NameRule{"features.2", "conv2"},
    NameRule{"features.5", "conv3"},
    NameRule{"features.7", "conv4"},
    NameRule{"features.10", "conv5"},
    NameRule{"features.12", "conv6"},
    NameRule{"features.14", "conv7"},
    NameRule{"features.17", "conv8"},
    NameRule{"features.19", "conv9"},
    NameRule{"features.21", "conv10"},
    NameRule{"features.24", "conv11"},
    NameRule{"features.26", "conv12"},
    NameRule{"features.28", "conv13"},
    NameRule{"classifier", "fc1"},
    NameRule{"classifier.0", "fc1"},
    NameRule{"classifier.3", "fc2"},
    NameRule{"classifier.6", "fc3"},
};

constexpr std::array kFamilies = {
    NameFamily{"resnet*", "torchvision, chenyaofo, akamaster or kuangliu", kResnet},
    NameFamily{"mobilenetv2", "torchvision", kMobilenet},
    NameFamily{"googlenet", "torchvision", kGooglenet},
    NameFamily{"vgg16", "torchvision, with batch norm", kVggNorm},
    NameFamily{"vgg16", "torchvision, without batch norm", kVggPlain},
};

constexpr std::ptrdiff_t kMostRuns = 2;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// What the wildcards of `pattern` match in `name`, the numbers and the others.
struct Captures {
  std::vector<std::string_view> numbers;
  std::vector<std::string_view> runs;
};

bool capture(std::string_view pattern, std::string_view name, Captures& captures) {
  while (!pattern.empty()) {
    const char c = pattern.front();
    pattern.remove_prefix(1);
    if (c == '#') {
      const auto end = std::find_if_not(name.begin(), name.end(), is_digit);
      const auto length = static_cast<std::size_t>(end - name.begin());
      if (length == 0) return false;
      captures.numbers.push_back(name.substr(0, length));
      name.remove_prefix(length);
    } else if (c == '*') {
      const Captures before = captures;
      for (std::size_t length = 0; length <= name.size(); ++length) {
        captures.runs.push_back(name.substr(0, length));
        if (capture(pattern, name.substr(length), captures)) return true;
        captures = before;
      }
      return false;
    } else {
      if (name.empty() || name.front() != c) return false;
      name.remove_prefix(1);
    }
  }
  return name.empty();
}

std::string_view zoo_part(std::string_view part) noexcept {
  if (part == "running_mean") return "mean";
  if (part == "running_var") return "variance";
  return part;
}

}  // namespace

std::span<const NameFamily> name_families() noexcept { return kFamilies; }

std::optional<std::string> rewrite(std::string_view from,
                                   std::string_view to,
                                   std::string_view name) {
  Captures captures;
  if (!capture(from, name, captures)) return std::nullopt;
  std::string result;
  auto number = captures.numbers.begin();
  auto run = captures.runs.begin();
  while (!to.empty()) {
    const char c = to.front();
    to.remove_prefix(1);
    if (c == '*' && run != captures.runs.end()) {
      result += *run++;
    } else if (c != '#' || number == captures.numbers.end()) {
      result += c;
    } else if (!to.starts_with("+1")) {
      result += *number++;
    } else {
      to.remove_prefix(2);
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(number->begin(), number->end(), value);
      if (error != std::errc()) return std::nullopt;
      result += std::to_string(value + 1);
      ++number;
    }
  }
  return result;
}

NameMap parse_name_map(const std::string& text) {
  const std::size_t equals = text.find('=');
  NameMap map;
  if (equals != std::string::npos) map = {text.substr(0, equals), text.substr(equals + 1)};
  const auto count = [](const std::string& pattern, char c) {
    return std::count(pattern.begin(), pattern.end(), c);
  };
  if (map.from.empty() || map.to.empty() || map.to.find('=') != std::string::npos) {
    throw InputError(cat("[import] '", text, "' is no map of names, expected FROM=TO"));
  }
  if (count(map.from, '*') > kMostRuns) {
    throw InputError(cat("[import] the map '", text, "' has more than ", kMostRuns, " '*'"));
  }
  for (const char c : {'*', '#'}) {
    if (count(map.to, c) > count(map.from, c)) {
      throw InputError(cat("[import] the map '", text, "' has more '", c, "' in TO than in FROM"));
    }
  }
  return map;
}

std::string zoo_name(std::span<const NameRule> rules,
                     std::span<const NameMap> maps,
                     std::string_view name) {
  std::string mapped(name);
  for (const NameMap& map : maps) {
    if (const auto result = rewrite(map.from, map.to, name)) {
      mapped = *result;
      break;
    }
  }
  const std::size_t dot = mapped.rfind('.');
  if (dot == std::string::npos) return mapped;
  const std::string_view layer = std::string_view(mapped).substr(0, dot);
  const std::string_view part = std::string_view(mapped).substr(dot + 1);
  // A count of the batches seen in training, of no use after it.
  if (part == "num_batches_tracked") return {};
  for (const NameRule& rule : rules) {
    if (const auto result = rewrite(rule.from, rule.to, layer)) {
      return result->empty() ? std::string() : cat(*result, ".", zoo_part(part));
    }
  }
  return cat(layer, ".", zoo_part(part));
}

}  // namespace lastbit
