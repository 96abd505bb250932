// A contestant of run.py: ncnn, on files that ncnn_model.py wrote. The program's first argument
// says what it computes with: fp32, bf16 (values and weights in memory, sums in float32) or int8
// (as far as the file asks for it).

#include <filesystem>
#include <memory>
#include <net.h>

#include "worker.h"

namespace lastbit::peers {
namespace {

class Ncnn final : public Model {
 public:
  Ncnn(const std::string& precision, Call call) : call_(std::move(call)) {
    if (precision != "fp32" && precision != "bf16" && precision != "int8") {
      throw std::runtime_error("unknown precision '" + precision +
                               "', expected fp32, bf16 or int8");
    }
    net_.opt.num_threads = call_.threads;
    net_.opt.blob_allocator = &blobs_;
    net_.opt.workspace_allocator = &workspace_;
    net_.opt.use_fp16_packed = false;
    net_.opt.use_fp16_storage = false;
    net_.opt.use_fp16_arithmetic = false;
    net_.opt.use_bf16_storage = precision == "bf16";
    net_.opt.use_int8_inference = precision == "int8";
    const std::filesystem::path weights =
        std::filesystem::path(call_.model).replace_extension(".bin");
    if (net_.load_param(call_.model.c_str()) != 0 || net_.load_model(weights.c_str()) != 0) {
      throw std::runtime_error("ncnn cannot load " + call_.model);
    }
    input_.resize(call_.input_count());
    output_.resize(call_.count);
  }

  std::span<float> input() override { return input_; }

  // Copies both ends: ncnn's own arrays begin each channel at an aligned place.
  void run() override {
    const std::vector<std::int64_t>& sizes = call_.sizes;
    ncnn::Mat values = sizes.size() == 4 ? ncnn::Mat(static_cast<int>(sizes[3]),
                                                     static_cast<int>(sizes[2]),
                                                     static_cast<int>(sizes[1]))
                                         : ncnn::Mat(static_cast<int>(input_.size()));
    const std::size_t plane = input_.size() / static_cast<std::size_t>(values.c);
    for (int channel = 0; channel < values.c; ++channel) {
      const auto from = input_.begin() + static_cast<std::ptrdiff_t>(plane) * channel;
      float* const to = values.channel(channel);
      std::copy_n(from, plane, to);
    }
    ncnn::Extractor extractor = net_.create_extractor();
    ncnn::Mat result;
    if (extractor.input(call_.input.c_str(), values) != 0 ||
        extractor.extract(call_.output.c_str(), result) != 0) {
      throw std::runtime_error("ncnn cannot run " + call_.model);
    }
    const auto count = static_cast<std::size_t>(result.w);
    if (result.dims != 1 || count != output_.size()) {
      throw std::runtime_error("the output has " + std::to_string(count) + " values, expected " +
                               std::to_string(output_.size()));
    }
    const float* const from = result;
    std::copy_n(from, output_.size(), output_.begin());
  }

  std::span<const float> output() override { return output_; }

 private:
  Call call_;
  ncnn::UnlockedPoolAllocator blobs_;
  ncnn::PoolAllocator workspace_;
  ncnn::Net net_;
  std::vector<float> input_;
  std::vector<float> output_;
};

}  // namespace
}  // namespace lastbit::peers

int main(int argc, char** argv) {
  using lastbit::peers::Ncnn;
  using lastbit::peers::parse_call;
  using lastbit::peers::serve;
  return serve("bench_peer_ncnn", [&] {
    if (argc < 2) {
      throw std::runtime_error("expected PRECISION MODEL THREADS INPUT SIZES OUTPUT COUNT");
    }
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    return std::make_unique<Ncnn>(argv[1], parse_call(words.subspan(2)));
  });
}
