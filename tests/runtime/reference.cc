#include "reference.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "lastbit/graph/parameters.h"
#include "lastbit/graph/window.h"
#include "lastbit/quant/projector.h"

namespace lastbit::reference {
namespace {

using Index = std::vector<std::int64_t>;

// Calls `visit(index)` for every index of `shape`, row-major.
void for_each(const Shape& shape, const std::function<void(const Index&)>& visit) {
  Index index(shape.size(), 0);
  for (std::int64_t left = element_count(shape); left > 0; --left) {
    visit(index);
    for (std::size_t i = shape.size(); i-- > 0;) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
}

// Element `index` of `array`, axes of size 1 and missing ones being broadcast.
Number at(const Array& array, const Index& index) {
  std::size_t offset = 0;
  const std::size_t skip = index.size() - array.shape.size();
  for (std::size_t i = 0; i < array.shape.size(); ++i) {
    const std::int64_t position = array.shape[i] == 1 ? 0 : index[skip + i];
    offset = offset * static_cast<std::size_t>(array.shape[i]) + static_cast<std::size_t>(position);
  }
  return array.data[offset];
}

// f is monotone with a slope of at most `slope`; its float version makes a few roundings.
Number function(Number x, double y, double slope) {
  return {y, slope * x.error + 8 * kEps * std::abs(y)};
}

Number apply(const Node& node, Number x) {
  const double v = x.value;
  if (node.op == "Relu") return function(x, std::max(v, 0.0), 1);
  if (node.op == "Tanh") return function(x, std::tanh(v), 1);
  if (node.op == "Sigmoid") return function(x, 1 / (1 + std::exp(-v)), 0.25);
  const double alpha = float_attribute(node, "alpha", 0.01F);
  return function(x, v < 0 ? alpha * v : v, std::max(1.0, std::abs(alpha)));
}

Number combine(const std::string& op, Number a, Number b) {
  Sum sum;
  if (op == "Mul") {
    sum.add(a, b);
  } else if (op == "Div") {
    const double y = a.value / b.value;
    return {y,
            a.error / std::abs(b.value) + 2 * std::abs(y) * b.error / std::abs(b.value) +
                2 * kEps * std::abs(y)};
  } else {
    sum.add(a);
    sum.add(b, {op == "Sub" ? -1.0 : 1.0, 0.0});
  }
  return sum.result();
}

class Evaluation {
 public:
  Evaluation(const Node& node, const std::vector<const Array*>& in, Array& out)
      : node_(node), in_(in), out_(out) {}

  void run() {
    const std::string& op = node_.op;
    if (op == "Conv") return each([&](const Index& i) { return conv(i); });
    if (op == "MaxPool" || op == "AveragePool")
      return each([&](const Index& i) { return pool(i); });
    if (op == "GlobalAveragePool") return each([&](const Index& i) { return global_pool(i); });
    if (op == "Gemm") return each([&](const Index& i) { return gemm(i); });
    if (op == "MatMul") return each([&](const Index& i) { return matmul(i); });
    if (op == "BatchNormalization") return each([&](const Index& i) { return normalize(i); });
    if (op == "Softmax" || op == "LogSoftmax")
      return each([&](const Index& i) { return softmax(i); });
    if (op == "Transpose") return each([&](const Index& i) { return transposed(i); });
    if (op == "Concat") return each([&](const Index& i) { return joined(i); });
    if (op == "Slice") return each([&](const Index& i) { return sliced(i); });
    if (op == "Pad") return each([&](const Index& i) { return padded(i); });
    if (op == "Clip") return each([&](const Index& i) { return clip(i); });
    if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div") {
      return each([&](const Index& i) { return combine(op, at(*in_[0], i), at(*in_[1], i)); });
    }
    if (op == "Relu" || op == "LeakyRelu" || op == "Tanh" || op == "Sigmoid") {
      return each([&](const Index& i) { return apply(node_, at(*in_[0], i)); });
    }
    out_.data = in_[0]->data;  // another shape of the same values
  }

 private:
  bool has(std::size_t i) const { return i < in_.size() && in_[i] != nullptr; }

  void each(const std::function<Number(const Index&)>& element) {
    for_each(out_.shape, [&](const Index& i) { out_.data.push_back(element(i)); });
  }

  // Calls `visit(kernel index, input index)` for the window of the result's element `i`.
  // Input indices may lie outside.
  void slide(const Window& w,
             const Index& i,
             const std::function<void(const Index&, const Index&)>& visit) {
    for_each(w.kernel, [&](const Index& k) {
      Index position{i[0], i[1]};
      for (std::size_t a = 0; a < k.size(); ++a) {
        position.push_back(i[a + 2] * w.strides[a] - w.pads_begin[a] + k[a] * w.dilations[a]);
      }
      visit(k, position);
    });
  }

  bool inside(const Index& position,
              const std::vector<std::int64_t>* before = nullptr,
              const std::vector<std::int64_t>* after = nullptr) const {
    for (std::size_t a = 2; a < position.size(); ++a) {
      const std::int64_t low = before == nullptr ? 0 : -(*before)[a - 2];
      const std::int64_t high = in_[0]->shape[a] + (after == nullptr ? 0 : (*after)[a - 2]);
      if (position[a] < low || position[a] >= high) return false;
    }
    return true;
  }

  Number conv(const Index& i) {
    const Shape& weights = in_[1]->shape;
    const Window w =
        window_of(node_, in_[0]->shape, std::span<const std::int64_t>(weights).subspan(2));
    const std::int64_t groups = int_attribute(node_, "group", 1);
    const std::int64_t group = i[1] / (weights[0] / groups);
    Sum sum;
    slide(w, i, [&](const Index& k, Index position) {
      if (!inside(position)) return;
      for (std::int64_t c = 0; c < weights[1]; ++c) {
        position[1] = group * weights[1] + c;
        Index kernel{i[1], c};
        kernel.insert(kernel.end(), k.begin(), k.end());
        sum.add(at(*in_[0], position), at(*in_[1], kernel));
      }
    });
    if (has(2)) sum.add(in_[2]->data[static_cast<std::size_t>(i[1])]);
    return sum.result();
  }

  Number pool(const Index& i) {
    const Window w = window_of(node_, in_[0]->shape);
    Number largest{-std::numeric_limits<double>::infinity(), 0.0};
    Sum sum;
    std::int64_t padded = 0;
    std::int64_t real = 0;
    slide(w, i, [&](const Index&, const Index& position) {
      if (inside(position, &w.pads_begin, &w.pads_end)) ++padded;
      if (!inside(position)) return;
      ++real;
      const Number x = at(*in_[0], position);
      sum.add(x);
      if (x.value > largest.value) largest.value = x.value;
      largest.error = std::max(largest.error, x.error);
    });
    if (node_.op == "MaxPool") return largest;
    const bool include = int_attribute(node_, "count_include_pad", 0) != 0;
    const auto count = static_cast<double>(std::max<std::int64_t>(1, include ? padded : real));
    const Number total = sum.result();
    return {total.value / count, total.error / count};
  }

  Number global_pool(const Index& i) {
    Sum sum;
    Shape area(in_[0]->shape.begin() + 2, in_[0]->shape.end());
    for_each(area, [&](const Index& a) {
      Index position{i[0], i[1]};
      position.insert(position.end(), a.begin(), a.end());
      sum.add(at(*in_[0], position));
    });
    const Number total = sum.result();
    const auto count = static_cast<double>(element_count(area));
    return {total.value / count, total.error / count};
  }

  Number gemm(const Index& i) {
    const bool ta = int_attribute(node_, "transA", 0) != 0;
    const bool tb = int_attribute(node_, "transB", 0) != 0;
    const Number alpha{float_attribute(node_, "alpha", 1.0F), 0.0};
    Sum sum;
    const std::int64_t depth = in_[0]->shape[ta ? 0 : 1];
    for (std::int64_t k = 0; k < depth; ++k) {
      Number a = at(*in_[0], ta ? Index{k, i[0]} : Index{i[0], k});
      a.value *= alpha.value;
      a.error *= std::abs(alpha.value);
      sum.add(a, at(*in_[1], tb ? Index{i[1], k} : Index{k, i[1]}));
    }
    if (has(2)) sum.add(at(*in_[2], i), {float_attribute(node_, "beta", 1.0F), 0.0});
    return sum.result();
  }

  Number matmul(const Index& i) {
    Array a = *in_[0];
    Array b = *in_[1];
    Index index = i;
    if (b.shape.size() == 1) {
      b.shape.push_back(1);
      index.push_back(0);
    }
    if (a.shape.size() == 1) {
      a.shape.insert(a.shape.begin(), 1);
      index.insert(index.end() - 1, 0);
    }
    Sum sum;
    for (std::int64_t k = 0; k < a.shape.back(); ++k) {
      Index left = index;
      left.back() = k;
      Index right = index;
      right[right.size() - 2] = k;
      sum.add(at(a, left), at(b, right));
    }
    return sum.result();
  }

  Number normalize(const Index& i) {
    const auto c = static_cast<std::size_t>(i.size() < 2 ? 0 : i[1]);
    const double factor = in_[1]->data[c].value /
                          std::sqrt(in_[4]->data[c].value +
                                    static_cast<double>(float_attribute(node_, "epsilon", 1e-5F)));
    const Number x = at(*in_[0], i);
    const double y = (x.value - in_[3]->data[c].value) * factor + in_[2]->data[c].value;
    const double magnitude =
        (std::abs(x.value) + std::abs(in_[3]->data[c].value)) * std::abs(factor) +
        std::abs(in_[2]->data[c].value);
    return {y, x.error * std::abs(factor) + 8 * kEps * magnitude};
  }

  // Both functions move by at most twice the largest change of an input, Softmax by that factor.
  Number softmax(const Index& i) {
    const Shape& shape = in_[0]->shape;
    const std::int64_t axis = int_attribute(node_, "axis", -1);
    const auto along =
        static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape.size()) : axis);
    double largest = -std::numeric_limits<double>::infinity();
    double error = 0.0;
    Index index = i;
    for (std::int64_t k = 0; k < shape[along]; ++k) {
      index[along] = k;
      largest = std::max(largest, at(*in_[0], index).value);
      error = std::max(error, at(*in_[0], index).error);
    }
    double sum = 0.0;
    for (std::int64_t k = 0; k < shape[along]; ++k) {
      index[along] = k;
      sum += std::exp(at(*in_[0], index).value - largest);
    }
    const double x = at(*in_[0], i).value;
    // Rounding x - max costs eps * |x - max|, which the exponential makes relative.
    const double relative = 2 * error + 8 * kEps * (2 + std::abs(x) + std::abs(largest));
    if (node_.op == "LogSoftmax")
      return {x - largest - std::log(sum), relative + 8 * kEps * std::log(sum)};
    const double y = std::exp(x - largest) / sum;
    return {y, y * relative};
  }

  Number transposed(const Index& i) {
    std::vector<std::int64_t> order(i.size());
    for (std::size_t a = 0; a < i.size(); ++a)
      order[a] = static_cast<std::int64_t>(i.size() - 1 - a);
    order = ints_attribute(node_, "perm", order);
    Index from(i.size());
    for (std::size_t a = 0; a < i.size(); ++a) from[static_cast<std::size_t>(order[a])] = i[a];
    return at(*in_[0], from);
  }

  Number joined(const Index& i) {
    const std::int64_t axis = int_attribute(node_, "axis", 0);
    const auto along =
        static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(i.size()) : axis);
    Index index = i;
    for (const Array* array : in_) {
      if (index[along] < array->shape[along]) return at(*array, index);
      index[along] -= array->shape[along];
    }
    return {};
  }

  Number clip(const Index& i) {
    Number x = at(*in_[0], i);
    if (has(1)) x.value = std::max(x.value, in_[1]->data[0].value);
    if (has(2)) x.value = std::min(x.value, in_[2]->data[0].value);
    return x;
  }

  // The integers of an input; `absent` where it has none.
  Index integers(std::size_t i, Index absent) const {
    if (!has(i)) return absent;
    Index values;
    for (const Number& number : in_[i]->data) {
      values.push_back(static_cast<std::int64_t>(number.value));
    }
    return values;
  }

  Index first_axes(std::size_t count) const {
    Index axes;
    for (std::size_t a = 0; a < count; ++a) axes.push_back(static_cast<std::int64_t>(a));
    return axes;
  }

  std::size_t resolved(std::int64_t axis) const {
    const auto rank = static_cast<std::int64_t>(in_[0]->shape.size());
    return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  }

  Number sliced(const Index& i) {
    const Index starts = integers(1, {});
    const Index axes = integers(3, first_axes(starts.size()));
    const Index steps = integers(4, Index(starts.size(), 1));
    Index from = i;
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const std::size_t a = resolved(axes[k]);
      const std::int64_t size = in_[0]->shape[a];
      std::int64_t start = starts[k] < 0 ? starts[k] + size : starts[k];
      start = std::max(start, std::int64_t{0});
      if (steps[k] < 0) start = std::min(start, size - 1);
      from[a] = start + i[a] * steps[k];
    }
    return at(*in_[0], from);
  }

  Number padded(const Index& i) {
    const Index pads = integers(1, {});
    const Index axes = integers(3, first_axes(i.size()));
    const std::string mode = string_attribute(node_, "mode", "constant");
    Index from = i;
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const std::size_t a = resolved(axes[k]);
      const std::int64_t last = in_[0]->shape[a] - 1;
      std::int64_t& position = from[a];
      position -= pads[k];
      if (mode == "edge") position = std::clamp(position, std::int64_t{0}, last);
      if (mode == "reflect") position = last - std::abs(last - std::abs(position));
      if (position < 0 || position > last) return has(2) ? in_[2]->data[0] : Number{};
    }
    return at(*in_[0], from);
  }

  const Node& node_;
  const std::vector<const Array*>& in_;
  Array& out_;
};

}  // namespace

Arrays evaluate(const Graph& graph,
                std::int64_t batch,
                const std::vector<std::vector<float>>& inputs) {
  const TypeMap types = infer_shapes(graph, batch);
  Arrays arrays;
  const auto keep = [&](const std::string& name, const auto& values) {
    Array& array = arrays[name];
    array.shape = types.at(name).shape;
    for (const auto v : values) array.data.push_back({static_cast<double>(v), 0.0});
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) keep(graph.inputs[i].name, inputs[i]);
  for (const auto& [name, initializer] : graph.initializers) {
    const Tensor tensor = decode(initializer);
    if (tensor.type() == DType::kFloat) keep(name, tensor.as_floats());
    if (tensor.type() == DType::kInt64) keep(name, tensor.as_int64s());
  }
  for (const Node& node : graph.nodes) {
    std::vector<const Array*> in;
    for (const std::string& name : node.inputs) {
      const auto found = arrays.find(name);
      in.push_back(found == arrays.end() ? nullptr : &found->second);
    }
    Array out{types.at(node.outputs[0]).shape, {}};
    Evaluation(node, in, out).run();
    arrays[node.outputs[0]] = std::move(out);
  }
  return arrays;
}

Graph quantized(Graph graph, const std::string& set) {
  const auto projector = parse_projector(set);
  for (const WeightUse& use : lowbit_candidates(graph)) {
    Initializer& initializer = graph.initializers.find(use.initializer)->second;
    const Tensor weights = decode(initializer);
    const Quantized projected =
        projector->project(weights.as_floats(), layout_of(use, weights.shape(), *projector));
    initializer = pack_weight(projected, weights.shape(), use, *projector);
  }
  return graph;
}

}  // namespace lastbit::reference
