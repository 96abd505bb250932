// What it saves to sum the gradient over the workers while backward goes on, not behind it: two
// workers with a thread each, over loopback made as slow as a network. First, both must give the
// same bits.
//
//     bench_overlap [NETWORK BATCH [PAIRS [SIDE]]]
//
// SIDE is that of the images. Without arguments: resnet18 at batch 4 of 16 x 16, which is little
// work for as many weights as ever, and resnet20 at batch 16 of 32 x 32.
//
// Both kinds of step are done in turn; the ratio is the middle of those of all pairs.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "lastbit/base/text.h"
#include "lastbit/train/evaluate.h"
#include "lastbit/train/gradient_sum.h"
#include "lastbit/train/optimizer.h"
#include "lastbit/train/rendezvous.h"
#include "lastbit/train/startup.h"
#include "lastbit/train/task_thread.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTimeout = std::chrono::seconds(60);

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A ring whose sums take as long as they would over a link of `rate` bytes a second.
class SlowNetwork final : public Communicator {
 public:
  explicit SlowNetwork(Ring ring) : ring_(make_communicator(std::move(ring), torch::kCPU)) {}

  double rate = 0.0;    // 0: as fast as it is
  bool beside = false;  // sums go on beside backward; else behind it
  std::vector<std::pair<std::int64_t, Clock::time_point>> starts;  // bytes, when

  int rank() const noexcept override { return ring_->rank(); }
  int size() const noexcept override { return ring_->size(); }
  void sum(torch::Tensor tensor) override { ring_->sum(tensor); }
  void broadcast(torch::Tensor tensor) override { ring_->broadcast(tensor); }

  void start_sum(torch::Tensor tensor) override {
    starts.emplace_back(tensor.nbytes(), Clock::now());
    std::function<void()> task = [this, tensor] {
      const double bytes = 2.0 * (size() - 1) / size() * static_cast<double>(tensor.nbytes());
      const std::chrono::duration<double> least(rate > 0.0 ? bytes / rate : 0.0);
      const Clock::time_point end =
          Clock::now() + std::chrono::duration_cast<Clock::duration>(least);
      ring_->sum(tensor);
      std::this_thread::sleep_until(end);
    };
    if (beside) {
      thread_.start(std::move(task));
    } else {
      waiting_.push_back(std::move(task));
    }
  }
  void finish_sums() override {
    for (const auto& task : waiting_) task();
    waiting_.clear();
    thread_.wait();
  }

 private:
  std::unique_ptr<Communicator> ring_;
  std::vector<std::function<void()>> waiting_;
  TaskThread thread_;
};

class Steps {
 public:
  Steps(Ring ring, const std::string& name, std::int64_t batch, std::int64_t side)
      : link_(std::move(ring)),
        network_(make_network(name, {.input = {3, side, side}, .classes = 10, .seed = 1}), {}),
        sum_(link_, network_),
        optimizer_(make_optimizer(
            {}, network_.parameters(), network_.gradients(), network_.matrix_size())) {
    torch::manual_seed(static_cast<std::uint64_t>(link_.rank()));
    batch_ = {.input = torch::randn({batch, 3, side, side}),
              .labels = torch::randint(10, {batch}, torch::kInt64)};
  }

  SlowNetwork& link() { return link_; }
  Network& network() { return network_; }
  double backward_seconds = 0.0;  // of the last pass, until its own work was done
  Clock::time_point backward_start;
  void pass() {
    torch::Tensor together = torch::zeros({1});
    link_.sum(together);
    link_.starts.clear();
    network_.gradients().zero_();
    const torch::Tensor loss = cross_entropy(network_.forward(batch_.input), batch_.labels).loss;
    sum_.begin();
    backward_start = Clock::now();
    loss.backward();
    backward_seconds = seconds_since(backward_start);
    sum_.start_rest();
    link_.finish_sums();
  }
  double seconds_of_step(bool beside) {
    link_.beside = beside;
    const auto start = Clock::now();
    pass();
    const torch::NoGradGuard no_gradient;
    optimizer_->step(1e-3);
    return seconds_since(start);
  }

 private:
  SlowNetwork link_;
  Network network_;
  GradientSum sum_;
  std::unique_ptr<Optimizer> optimizer_;
  Batch batch_;
};

void require_same_bits(Steps& steps) {
  steps.link().beside = false;
  steps.pass();
  const torch::Tensor expected = steps.network().gradients().clone();
  steps.link().beside = true;
  steps.pass();
  if (torch::equal(expected, steps.network().gradients())) return;
  std::fprintf(stderr, "the sums differ\n");
  std::_Exit(1);
}

void print_starts(const Steps& steps, const SlowNetwork& link) {
  double total = 0.0;
  for (const auto& [bytes, when] : link.starts) total += static_cast<double>(bytes);
  for (const auto& [bytes, when] : link.starts) {
    const double at = std::chrono::duration<double>(when - steps.backward_start).count();
    std::printf("  %6.2f MB (%4.1f%%) when %3.0f%% of backward is done\n",
                1e-6 * static_cast<double>(bytes),
                100.0 * static_cast<double>(bytes) / total,
                100.0 * at / steps.backward_seconds);
  }
}

void measure(Steps& steps, int pairs) {
  require_same_bits(steps);
  SlowNetwork& link = steps.link();
  const bool reports = link.rank() == 0;
  if (reports) print_starts(steps, link);
  for (const double rate : {0.0, 1e9, 1e8, 2e7}) {
    link.rate = rate;
    std::vector<double> beside;
    std::vector<double> behind;
    std::vector<double> ratios;
    for (int pair = 0; pair < pairs; ++pair) {
      behind.push_back(steps.seconds_of_step(false));
      beside.push_back(steps.seconds_of_step(true));
      ratios.push_back(beside.back() / behind.back());
    }
    if (!reports) continue;
    std::printf("  %s: behind %5.0f ms, beside %5.0f ms, ratio %.3f\n",
                rate == 0.0 ? "loopback" : cat(1e-9 * rate, " GB/s").c_str(),
                1e3 * median(behind),
                1e3 * median(beside),
                median(ratios));
    std::fflush(stdout);
  }
}

void work(const WorkerPlace& place, const std::string& name, int batch, int pairs, int side) {
  configure_process(1);
  Steps steps(join_ring(place, 0, kTimeout), name, batch, side);
  if (place.rank == 0) std::printf("%s, batch %d, %d x %d\n", name.c_str(), batch, side, side);
  measure(steps, pairs);
}

void run(const std::string& name, int batch, int pairs, int side) {
  Socket door = listen_on(0, /*loopback=*/true);
  WorkerPlace place{.size = 2, .address = "127.0.0.1", .port = door.port()};
  std::vector<pid_t> workers;
  for (place.rank = 0; place.rank < place.size; ++place.rank) {
    const pid_t child = ::fork();  // before LibTorch has threads
    if (child != 0) {
      workers.push_back(child);
      continue;
    }
    if (place.rank == 0) place.listener = ::dup(door.descriptor());
    try {
      work(place, name, batch, pairs, side);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::_Exit(1);
    }
    std::fflush(stdout);
    std::_Exit(0);
  }
  int failed = 0;
  for (const pid_t worker : workers) {
    int status = 0;
    ::waitpid(worker, &status, 0);
    failed |= status;
  }
  if (failed != 0) std::exit(1);
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  lastbit::ensure_passive_waiting(argv);
  if (argc == 1) {
    lastbit::run("resnet18", 4, 21, 16);
    lastbit::run("resnet20", 16, 15, 32);
    return 0;
  }
  const int batch = argc > 2 ? std::atoi(argv[2]) : 0;
  const int pairs = argc > 3 ? std::atoi(argv[3]) : 11;
  const int side = argc > 4 ? std::atoi(argv[4]) : 32;
  if (batch < 1 || pairs < 1 || side < 1) {
    std::fprintf(stderr, "usage: bench_overlap [NETWORK BATCH [PAIRS [SIDE]]]\n");
    return 2;
  }
  lastbit::run(argv[1], batch, pairs, side);
  return 0;
}
