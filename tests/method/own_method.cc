// The method that docs/add-a-method.md shows, which is in no table: it is compiled as it stands and
// must have the properties of all others.

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "every_method.h"
#include "lastbit/base/error.h"

namespace lastbit {

MethodInfo quant_noise_method();

namespace {

std::string source(const std::string& path) {
  std::ifstream file(LASTBIT_SOURCE + ("/" + path), std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The blocks of C++ in a document.
std::vector<std::string> blocks(const std::string& document) {
  constexpr std::string_view kOpen = "\n```cpp\n";
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = document.find(kOpen, at)) != std::string::npos;) {
    const std::size_t begin = at + kOpen.size();
    at = document.find("\n```\n", begin);
    if (at == std::string::npos) break;
    found.push_back(document.substr(begin, at + 1 - begin));
  }
  return found;
}

TEST(OwnMethod, IsTheFileThatTheDocumentShows) {
  const std::string file = source("examples/own_method.cc");
  EXPECT_LT(std::count(file.begin(), file.end(), '\n'), 100);
  const std::vector<std::string> shown = blocks(source("docs/add-a-method.md"));
  ASSERT_FALSE(shown.empty());
  EXPECT_EQ(shown.front(), file);
}

TEST(OwnLoop, IsTheLoopThatTheDocumentsShow) {
  const std::string file = source("examples/own_loop.cpp");
  constexpr std::string_view kBegin = "  // [squeeze]\n";
  const std::size_t begin = file.find(kBegin) + kBegin.size();
  std::string loop;
  for (std::size_t at = begin; at < file.find("  // [end]\n");) {
    const std::size_t end = file.find('\n', at) + 1;
    loop += file.substr(at + 2, end - at - 2);  // two spaces less, as the documents have it
    at = end;
  }
  EXPECT_LE(std::count(loop.begin(), loop.end(), '\n'), 14);
  for (const char* const document : {"docs/own-loop.md", "README.md"}) {
    const std::vector<std::string> shown = blocks(source(document));
    EXPECT_EQ(std::count(shown.begin(), shown.end(), loop), 1) << document << "\n" << loop;
  }
}

// A quarter of the weights is seen rounded and the rest as they are, other ones in the next step.
TEST(OwnMethod, RoundsAShareOfTheWeights) {
  Weights weights = one_layer(random_values(1000, 1), "ternary");
  const auto method = make_method(quant_noise_method(), {{"share", "0.25"}});
  method->begin(weights);
  const torch::Tensor first = method->seen({.step = 1, .total_steps = 9});
  const torch::Tensor second = method->seen({.step = 2, .total_steps = 9});
  const auto rounded = (first != weights.value).sum().item<std::int64_t>();
  // 250 expected; 5 deviations of sqrt(1000 * 0.25 * 0.75) = 13.7.
  EXPECT_NEAR(static_cast<double>(rounded), 250.0, 69.0);
  EXPECT_FALSE(torch::equal(first, second));
  const torch::Tensor low_bit = tensor_of(decoded(method->deployed()[0]));
  EXPECT_TRUE(((first == weights.value) | (first == low_bit)).all().item<bool>());
  EXPECT_TRUE(torch::equal(first, method->seen({.step = 1, .total_steps = 9})));

  const auto all = make_method(quant_noise_method(), {{"share", "1"}});
  all->begin(weights);
  EXPECT_TRUE(torch::equal(all->seen({.total_steps = 9}), low_bit));
  EXPECT_THROW(make_method(quant_noise_method(), {{"share", "1.5"}}), InputError);
}

INSTANTIATE_TEST_SUITE_P(OwnMethod, EveryMethod, testing::Values(quant_noise_method()), test_name);

}  // namespace
}  // namespace lastbit
