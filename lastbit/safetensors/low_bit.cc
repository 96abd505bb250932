#include "lastbit/safetensors/low_bit.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/safetensors/safetensors.h"

namespace lastbit {
namespace {

constexpr std::string_view kOwnKeys = "lastbit.";
constexpr std::string_view kSetKey = "lastbit.v1.set.";

void add(std::string name, Tensor tensor, std::map<std::string, Tensor>& tensors) {
  const auto [place, fresh] = tensors.emplace(std::move(name), std::move(tensor));
  if (!fresh) {
    throw InputError(cat("[safetensors] two tensors would be called '",
                         place->first,
                         "', expected names that stay apart"));
  }
}

// Takes the parts of low-bit weights out of a file's tensors.
class Parts {
 public:
  explicit Parts(std::map<std::string, Tensor>& tensors) : tensors_(tensors) {}

  bool has(const std::string& name) const { return tensors_.contains(name); }

  /// @param rank  of the tensor; -1 for any.
  Tensor take(const std::string& name, DType type, int rank) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      throw FormatError(cat("[safetensors] no tensor is called '", name, "'"));
    }
    Tensor tensor = std::move(found->second);
    tensors_.erase(found);
    if (tensor.type() != type ||
        (rank >= 0 && tensor.shape().size() != static_cast<std::size_t>(rank))) {
      throw FormatError(cat("[safetensors] tensor '",
                            name,
                            "' is ",
                            to_string(tensor.type()),
                            " ",
                            to_string(tensor.shape()),
                            ", expected ",
                            to_string(type),
                            rank < 0 ? "" : cat(" of ", rank, " dimension")));
    }
    return tensor;
  }

 private:
  std::map<std::string, Tensor>& tensors_;
};

LowBitTensor take_weight(const std::string& name, std::string set, Parts& parts) {
  const Tensor codes = parts.take(name + ".codes", DType::kUint8, 1);
  const Tensor codebook = parts.take(name + ".codebook", DType::kFloat, 1);
  const Tensor scales = parts.take(name + ".scales", DType::kFloat, -1);
  const Tensor shape = parts.take(name + ".shape", DType::kInt64, 1);
  const auto levels = codebook.as_floats();
  LowBitTensor result{
      .shape = {shape.as_int64s().begin(), shape.as_int64s().end()},
      .codebook = Codebook({levels.begin(), levels.end()}),
      .scale_shape = scales.shape(),
      .scales = {scales.as_floats().begin(), scales.as_floats().end()},
      .packed = codes.shared_bytes(),
      .set = std::move(set),
  };
  if (parts.has(name + ".group")) {
    const Tensor group = parts.take(name + ".group", DType::kInt64, 1);
    if (group.size() != 3 || group.as_int64s()[0] < 1 || scales.shape().empty()) {
      throw FormatError(cat("[safetensors] tensor '",
                            name,
                            ".group' is not the size of a group, at least 1, and the extents "
                            "before and after the channels"));
    }
    const auto sizes = group.as_int64s();
    result.group = sizes[0];
    result.layout = {sizes[1], scales.shape()[0], sizes[2]};
  }
  check_lowbit(result);
  return result;
}

}  // namespace

void write_low_bit_safetensors(const std::filesystem::path& path, const LowBitWeights& weights) {
  Safetensors file{.tensors = weights.others, .metadata = {}};
  for (const auto& [name, weight] : weights.low_bit) {
    check_lowbit(weight);
    const auto sizes = [](const std::vector<std::int64_t>& values) {
      return Tensor::int64s({static_cast<std::int64_t>(values.size())}, values);
    };
    add(name + ".codes",
        {DType::kUint8,
         {static_cast<std::int64_t>(weight.packed.size())},
         std::as_bytes(std::span(weight.packed))},
        file.tensors);
    add(name + ".codebook",
        Tensor::floats({weight.codebook.size()}, weight.codebook.levels()),
        file.tensors);
    add(name + ".scales", Tensor::floats(weight.scale_shape, weight.scales), file.tensors);
    add(name + ".shape", sizes(weight.shape), file.tensors);
    if (weight.group != 0) {
      add(name + ".group",
          sizes({weight.group, weight.layout.before, weight.layout.after}),
          file.tensors);
    }
    file.metadata.emplace(cat(kSetKey, name), weight.set);
  }
  write_safetensors(path, file);
}

LowBitWeights read_low_bit_safetensors(const std::filesystem::path& path) {
  Safetensors file = read_safetensors(path);
  const std::string where = path.string();
  Parts parts(file.tensors);
  LowBitWeights result;
  for (auto& [key, set] : file.metadata) {
    if (!key.starts_with(kOwnKeys)) continue;
    if (!key.starts_with(kSetKey)) {
      throw FormatError(cat("[safetensors] ",
                            where,
                            " has the metadata '",
                            key,
                            "', expected '",
                            kSetKey,
                            "' and a weight's name: was it written by a newer version?"));
    }
    const std::string name = key.substr(kSetKey.size());
    try {
      result.low_bit.emplace(name, take_weight(name, set, parts));
    } catch (const InputError& error) {  // which levels that are no codebook throw as well
      throw FormatError(cat("[safetensors] ", where, ": weight '", name, "': ", error.what()));
    }
  }
  result.others = std::move(file.tensors);
  return result;
}

}  // namespace lastbit
