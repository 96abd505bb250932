// A contestant of run.py in `product`: ggml, with the matrix of a LastBit model as TQ2_0, its
// format of 2 bits for ternary weights (blocks of 256 weights with a scale of 16 bits). ggml makes
// integers of 8 bits of the vector in each run.

#include <array>
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>
#include <memory>

#include "lastbit/graph/onnx.h"
#include "worker.h"

namespace lastbit::peers {
namespace {

template <auto Free>
struct Release {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, Release<Free>>;

// The only weight of the model, decoded: (outputs, inputs).
Tensor weight_of(const std::string& model) {
  const Graph graph = read_onnx(model);
  const std::vector<WeightUse> weights = lowbit_candidates(graph);
  if (weights.size() != 1) {
    throw std::runtime_error(model + " has " + std::to_string(weights.size()) +
                             " weights, expected the one of a product");
  }
  return decode(*graph.find_initializer(weights[0].initializer));
}

class Ggml final : public Model {
 public:
  explicit Ggml(const Call& call)
      : context_(ggml_init({.mem_size = 16 * ggml_tensor_overhead() + ggml_graph_overhead(),
                            .mem_buffer = nullptr,
                            .no_alloc = true})),
        backend_(ggml_backend_cpu_init()) {
    ggml_threadpool_params threads = ggml_threadpool_params_default(call.threads);
    pool_.reset(ggml_threadpool_new(&threads));
    ggml_backend_cpu_set_n_threads(backend_.get(), call.threads);
    ggml_backend_cpu_set_threadpool(backend_.get(), pool_.get());

    const Tensor weight = weight_of(call.model);
    const std::int64_t outputs = weight.shape().at(0);
    const std::int64_t inputs = weight.shape().at(1);
    if (inputs != static_cast<std::int64_t>(call.input_count()) ||
        outputs != static_cast<std::int64_t>(call.count)) {
      throw std::runtime_error("the weight is " + std::to_string(outputs) + " x " +
                               std::to_string(inputs) + ", expected that of the product");
    }
    input_.resize(call.input_count());
    output_.resize(call.count);
    ggml_tensor* matrix = ggml_new_tensor_2d(context_.get(), GGML_TYPE_TQ2_0, inputs, outputs);
    vector_ = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, inputs, 1);
    product_ = ggml_mul_mat(context_.get(), matrix, vector_);
    graph_ = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph_, product_);
    buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), backend_.get()));
    if (buffer_ == nullptr) throw std::runtime_error("ggml has no memory for the product");

    std::vector<std::byte> packed(ggml_nbytes(matrix));
    ggml_quantize_chunk(
        GGML_TYPE_TQ2_0, weight.as_floats().data(), packed.data(), 0, outputs, inputs, nullptr);
    ggml_backend_tensor_set(matrix, packed.data(), 0, packed.size());
  }

  std::span<float> input() override { return input_; }

  void run() override {
    ggml_backend_tensor_set(vector_, input_.data(), 0, input_.size() * sizeof(float));
    if (ggml_backend_graph_compute(backend_.get(), graph_) != GGML_STATUS_SUCCESS) {
      throw std::runtime_error("ggml could not compute the product");
    }
    ggml_backend_tensor_get(product_, output_.data(), 0, output_.size() * sizeof(float));
  }

  std::span<const float> output() override { return output_; }

 private:
  Owned<ggml_context, ggml_free> context_;
  Owned<ggml_threadpool, ggml_threadpool_free> pool_;
  Owned<ggml_backend, ggml_backend_free> backend_;
  Owned<ggml_backend_buffer, ggml_backend_buffer_free> buffer_;
  ggml_tensor* vector_ = nullptr;
  ggml_tensor* product_ = nullptr;
  ggml_cgraph* graph_ = nullptr;
  std::vector<float> input_;
  std::vector<float> output_;
};

}  // namespace
}  // namespace lastbit::peers

int main(int argc, char** argv) {
  using lastbit::peers::Ggml;
  using lastbit::peers::parse_call;
  using lastbit::peers::serve;
  return serve("bench_peer_ggml", [&] {
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    return std::make_unique<Ggml>(parse_call(words.subspan(1)));
  });
}
