#include "lastbit/data/parts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// Far more than any data set has, and few enough for a last layer to be built from the number.
constexpr std::int32_t kMaxClasses = 1'000'000;

void copy(std::span<const std::uint8_t> from, float* to) noexcept { bytes_to_floats(from, to); }

void copy(std::span<const float> from, float* to) noexcept {
  std::copy(from.begin(), from.end(), to);
}

class MemorySource final : public DatasetSource {
 public:
  MemorySource(Samples samples, std::int64_t classes)
      : samples_(std::move(samples)), classes_(classes) {
    for (const std::int64_t extent : samples_.shape) stride_ *= static_cast<std::size_t>(extent);
  }

  std::int64_t size() const noexcept override {
    return static_cast<std::int64_t>(samples_.labels.size());
  }
  std::span<const std::int64_t> sample_shape() const noexcept override { return samples_.shape; }
  std::int64_t classes() const noexcept override { return classes_; }
  std::span<const std::int32_t> labels() const noexcept override { return samples_.labels; }

  void gather(std::span<const std::int64_t> indices, std::span<float> out) const override {
    check_gather(indices, out.size(), stride_, size());
    std::visit([&](const auto& values) { gather_from(std::span(values), indices, out); },
               samples_.values);
  }

  std::span<const std::uint8_t> bytes() const noexcept override {
    const auto* const bytes = std::get_if<std::vector<std::uint8_t>>(&samples_.values);
    return bytes == nullptr ? std::span<const std::uint8_t>() : std::span(*bytes);
  }
  std::vector<std::string> skipped() const override { return samples_.skipped; }

 private:
  template <typename Value>
  void gather_from(std::span<const Value> values,
                   std::span<const std::int64_t> indices,
                   std::span<float> out) const noexcept {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      copy(values.subspan(static_cast<std::size_t>(indices[i]) * stride_, stride_),
           out.data() + i * stride_);
    }
  }

  Samples samples_;
  std::int64_t classes_;
  std::size_t stride_ = 1;
};

void check_values(const Samples& part) {
  std::size_t stride = 1;
  for (const std::int64_t extent : part.shape) stride *= static_cast<std::size_t>(extent);
  const std::size_t count =
      std::visit([](const auto& values) { return values.size(); }, part.values) / stride;
  if (count != part.labels.size()) {
    throw FormatError(cat("[dataset] ",
                          part.labels_from,
                          " has ",
                          part.labels.size(),
                          " labels, but ",
                          part.values_from,
                          " has ",
                          count,
                          " samples"));
  }
  if (count == 0) throw FormatError(cat("[dataset] ", part.values_from, " has no samples"));
  const auto* const floats = std::get_if<std::vector<float>>(&part.values);
  if (floats == nullptr) return;
  const auto bad = std::find_if_not(
      floats->begin(), floats->end(), [](float value) { return std::isfinite(value); });
  if (bad != floats->end()) {
    const auto at = static_cast<std::size_t>(bad - floats->begin());
    throw FormatError(cat("[dataset] ",
                          part.values_from,
                          " value ",
                          at % stride,
                          " of sample ",
                          at / stride,
                          " is ",
                          *bad,
                          ", expected a finite number"));
  }
}

void check_labels(const Samples& part) {
  for (std::size_t i = 0; i < part.labels.size(); ++i) {
    if (part.labels[i] < 0 || part.labels[i] >= kMaxClasses) {
      throw FormatError(cat("[dataset] ",
                            part.labels_from,
                            " label ",
                            i,
                            " is ",
                            part.labels[i],
                            ", expected 0, ..., ",
                            kMaxClasses - 1));
    }
  }
}

}  // namespace

void bytes_to_floats(std::span<const std::uint8_t> from, float* to) noexcept {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from[i]) / 255.0F;
}

void check_gather(std::span<const std::int64_t> indices,
                  std::size_t room,
                  std::size_t stride,
                  std::int64_t size) {
  if (room / stride != indices.size() || room % stride != 0) {
    throw InputError(cat("[dataset] gather has room for ",
                         room,
                         " values, expected ",
                         indices.size(),
                         " samples of ",
                         stride));
  }
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= size) {
      throw InputError(
          cat("[dataset] indices[", i, "] is ", indices[i], ", expected 0, ..., ", size - 1));
    }
  }
}

Dataset make_dataset(std::string name,
                     std::filesystem::path folder,
                     Samples train,
                     Samples test,
                     std::int64_t classes) {
  for (const Samples* part : {&train, &test}) {
    check_values(*part);
    check_labels(*part);
    const std::int32_t largest = *std::max_element(part->labels.begin(), part->labels.end());
    classes = std::max<std::int64_t>(classes, std::int64_t{largest} + 1);
  }
  if (train.shape != test.shape) {
    throw FormatError(cat("[dataset] ",
                          test.values_from,
                          " has samples of (",
                          join(test.shape),
                          "), but ",
                          train.values_from,
                          " has (",
                          join(train.shape),
                          ")"));
  }
  Dataset dataset;
  dataset.name = std::move(name);
  dataset.folder = std::move(folder);
  dataset.train = std::make_shared<MemorySource>(std::move(train), classes);
  dataset.test = std::make_shared<MemorySource>(std::move(test), classes);
  return dataset;
}

}  // namespace lastbit
