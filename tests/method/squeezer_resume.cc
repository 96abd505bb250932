#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>
#include <torch/serialize.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/squeezer.h"
#include "support.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kSteps = 12;

struct Case {
  std::string_view method;
  std::map<std::string, std::string> options;
  std::string_view set;
};

// A loop of the user's own, as docs/own-loop.md has it: a network, an optimizer and a squeezer.
class Loop {
 public:
  Loop(const Case& of, std::uint64_t seed, const SqueezerOptions& options) {
    torch::manual_seed(seed);
    net_ = torch::nn::Sequential(torch::nn::Linear(5, 8),
                                 torch::nn::BatchNorm1d(8),
                                 torch::nn::Tanh(),
                                 torch::nn::Linear(8, 6));
    if (of.method == "lsq") {
      optimizer_ =
          std::make_unique<torch::optim::Adam>(net_->parameters(), torch::optim::AdamOptions(0.01));
    } else {
      optimizer_ = std::make_unique<torch::optim::SGD>(
          net_->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
    }
    squeezer_ = std::make_unique<Squeezer>(low_bit_parameters(*net_, "*.weight", of.set),
                                           make_method(find_method(of.method), of.options),
                                           *optimizer_,
                                           options);
  }

  // The samples depend on the step alone.
  void run_to(std::int64_t end) {
    while (squeezer_->progress().step < end) {
      const auto seed = static_cast<std::uint64_t>(squeezer_->progress().step);
      const torch::Tensor samples = tensor_of(random_values(20, 100 + seed)).view({4, 5});
      const torch::Tensor targets = tensor_of(random_values(24, 200 + seed)).view({4, 6});
      squeezer_->step([&] {
        torch::Tensor loss = torch::nn::functional::mse_loss(net_->forward(samples), targets);
        loss.backward();
        return loss;
      });
    }
  }

  std::string saved() const {
    torch::serialize::OutputArchive file;
    torch::serialize::OutputArchive net;
    torch::serialize::OutputArchive optimizer;
    torch::serialize::OutputArchive squeezer;
    net_->save(net);
    optimizer_->save(optimizer);
    for (const auto& [name, tensor] : squeezer_->state()) squeezer.write(name, tensor);
    file.write("net", net);
    file.write("optimizer", optimizer);
    file.write("squeezer", squeezer);
    std::ostringstream out;
    file.save_to(out);
    return out.str();
  }

  void read(const std::string& saved) {
    torch::serialize::InputArchive file;
    std::istringstream in(saved);
    file.load_from(in);
    torch::serialize::InputArchive net;
    torch::serialize::InputArchive optimizer;
    torch::serialize::InputArchive squeezer;
    file.read("net", net);
    file.read("optimizer", optimizer);
    file.read("squeezer", squeezer);
    net_->load(net);
    optimizer_->load(optimizer);
    std::map<std::string, torch::Tensor> state;
    for (const std::string& name : squeezer.keys()) squeezer.read(name, state[name]);
    squeezer_->load(state);
  }

  std::vector<std::vector<float>> values() const {
    std::vector<std::vector<float>> result;
    for (const torch::Tensor& tensor : net_->parameters()) {
      result.push_back(vector_of(tensor.detach()));
    }
    for (const torch::Tensor& tensor : net_->buffers()) {
      result.push_back(vector_of(tensor.to(torch::kFloat32)));
    }
    return result;
  }

  Squeezer& squeezer() { return *squeezer_; }

 private:
  torch::nn::Sequential net_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  std::unique_ptr<Squeezer> squeezer_;
};

class SqueezerResume : public testing::TestWithParam<Case> {};

// From the middle of a round and from its end, into a network that began elsewhere.
TEST_P(SqueezerResume, GoesOnBitForBit) {
  const SqueezerOptions options{.steps = kSteps, .round_steps = 3, .epoch_steps = 5};
  Loop straight(GetParam(), 1, options);
  straight.run_to(kSteps);
  for (const std::int64_t stop : {0, 4, 6, 12}) {
    SCOPED_TRACE(stop);
    Loop first(GetParam(), 1, options);
    first.run_to(stop);
    Loop second(GetParam(), 2, options);
    second.read(first.saved());
    EXPECT_EQ(second.values(), first.values());
    EXPECT_EQ(second.squeezer().progress().round, stop / 3);
    EXPECT_EQ(second.squeezer().residuals().has_value(), stop >= 3);
    second.run_to(kSteps);
    EXPECT_EQ(second.values(), straight.values());
    EXPECT_EQ(second.squeezer().residuals()->primal, straight.squeezer().residuals()->primal);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(second.squeezer().deployed()[i].codes, straight.squeezer().deployed()[i].codes);
      EXPECT_EQ(second.squeezer().deployed()[i].scales, straight.squeezer().deployed()[i].scales);
    }
  }
  straight.squeezer().finish();
  Loop last(GetParam(), 3, options);
  last.read(straight.saved());
  EXPECT_EQ(last.values(), straight.values());
  EXPECT_THROW(last.squeezer().step([] { return torch::zeros({}); }), InputError);
}

INSTANTIATE_TEST_SUITE_P(Methods,
                         SqueezerResume,
                         testing::Values(Case{"lc", {}, "ternary/channel"},
                                         Case{"admm", {{"extragradient", "true"}}, "ternary"},
                                         Case{"admm", {{"balance", "true"}}, "kmeans:4"},
                                         Case{"md-tanh-s", {}, "binary"},
                                         Case{"parq", {}, "ternary/channel"},
                                         Case{"lsq", {}, "uniform:2"},
                                         Case{"bc", {{"stochastic", "true"}}, "binary"},
                                         Case{"inq", {}, "shift:2"},
                                         Case{"dc", {}, "ternary"}),
                         [](const testing::TestParamInfo<Case>& of) {
                           std::string name = cat(of.param.method, "_", of.index);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(SqueezerState, EndsTheRoundThatIsUnderWay) {
  const SqueezerOptions options{.steps = kSteps, .round_steps = 5};
  const Case of{"admm", {}, "ternary"};
  Loop first(of, 1, options);
  first.run_to(7);
  Loop second(of, 2, options);
  second.read(first.saved());
  first.squeezer().finish();
  second.squeezer().finish();
  EXPECT_EQ(second.squeezer().progress().round, 2);
  EXPECT_EQ(second.values(), first.values());
}

TEST(SqueezerState, OfAnotherRunIsRefused) {
  const SqueezerOptions options{.steps = kSteps, .round_steps = 3};
  const Case admm{"admm", {}, "ternary"};
  Loop loop(admm, 1, options);
  loop.run_to(4);
  const auto state = loop.squeezer().state();
  const auto expect_refused = [](Loop& by, const auto& given, const std::string& sentence) {
    EXPECT_THAT([&] { by.squeezer().load(given); },
                ThrowsMessage<FormatError>(HasSubstr(sentence)));
  };
  Loop longer(admm, 1, {.steps = kSteps + 1, .round_steps = 3});
  expect_refused(longer,
                 state,
                 "another run: 88 weights, 12 steps in rounds of 3 and epochs of 12, this one has "
                 "88, 13, 3 and 13");
  Loop other({"lsq", {}, "ternary"}, 1, options);
  expect_refused(other, state, "not one of the method 'lsq'");
  auto without = state;
  without.erase("method.u");
  expect_refused(loop, without, "not one of the method 'admm'");
  without.erase("place");
  expect_refused(loop, without, "no 'place', or one of another kind");
  auto beyond = state;
  beyond["place"] = state.at("place").clone();
  beyond["place"][4] = kSteps + 1;
  expect_refused(loop, beyond, "another run");
}

}  // namespace
}  // namespace lastbit
