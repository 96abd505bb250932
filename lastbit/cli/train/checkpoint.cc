#include "lastbit/cli/train/checkpoint.h"

#include <charconv>
#include <cstring>
#include <iostream>

#include <fmt/format.h>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/interrupt.h"
#include "lastbit/safetensors/safetensors.h"

namespace lastbit {
namespace {

constexpr std::string_view kFile = "checkpoint.safetensors";
constexpr std::string_view kKept = "main.";
constexpr std::string_view kVersion = "1";  // of the names and meanings in it

std::filesystem::path file_in(const std::filesystem::path& folder) { return folder / kFile; }

DType type_of(const torch::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case torch::kFloat32:
      return DType::kFloat;
    case torch::kFloat64:
      return DType::kDouble;
    case torch::kInt64:
      return DType::kInt64;
    case torch::kInt32:
      return DType::kInt32;
    case torch::kUInt8:
      return DType::kUint8;
    case torch::kInt8:
      return DType::kInt8;
    case torch::kInt16:
      return DType::kInt16;
    case torch::kBool:
      return DType::kBool;
    default:
      throw WorkError(cat("[checkpoint] a tensor of type ",
                          torch::toString(tensor.scalar_type()),
                          " cannot be saved"));
  }
}

torch::ScalarType torch_type(DType type, const std::string& name) {
  switch (type) {
    case DType::kFloat:
      return torch::kFloat32;
    case DType::kDouble:
      return torch::kFloat64;
    case DType::kInt64:
      return torch::kInt64;
    case DType::kInt32:
      return torch::kInt32;
    case DType::kUint8:
      return torch::kUInt8;
    case DType::kInt8:
      return torch::kInt8;
    case DType::kInt16:
      return torch::kInt16;
    case DType::kBool:
      return torch::kBool;
    default:
      throw FormatError(cat("[checkpoint] tensor '", name, "' is ", to_string(type)));
  }
}

Tensor packed(const torch::Tensor& tensor) {
  const torch::Tensor host = tensor.contiguous();
  return {type_of(host),
          host.sizes().vec(),
          {static_cast<const std::byte*>(host.data_ptr()), host.nbytes()}};
}

torch::Tensor unpacked(const Tensor& tensor, const std::string& name) {
  torch::Tensor result = torch::empty(tensor.shape(), torch_type(tensor.type(), name));
  if (!tensor.bytes().empty()) {
    std::memcpy(result.data_ptr(), tensor.bytes().data(), tensor.bytes().size());
  }
  return result;
}

template <typename Number>
Number number_in(const Safetensors& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  Number value{};
  if (found != file.metadata.end()) {
    const char* const end = found->second.data() + found->second.size();
    const auto [rest, error] = std::from_chars(found->second.data(), end, value);
    if (error == std::errc{} && rest == end) return value;
  }
  throw FormatError(cat("[checkpoint] '", key, "' is missing or no number"));
}

// A process that was killed while it wrote leaves its temporary file behind.
void remove_leftovers(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    if (name.starts_with(cat(kFile, "."))) std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace

void add_checkpoint_options(CLI::App& app, CheckpointChoice& choice) {
  app.add_option("--checkpoint",
                 choice.minutes,
                 "Save the run every so many minutes; 0: only where it is interrupted")
      ->check(CLI::NonNegativeNumber)
      ->type_name("MINUTES");
  app.add_flag("--resume",
               choice.resume,
               "Go on with the run in the folder, with the same options; start it if there is none")
      ->configurable(false);
}

void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint) {
  Safetensors file;
  for (const auto& [name, tensor] : checkpoint.state) file.tensors.emplace(name, packed(tensor));
  file.metadata = {{"version", std::string(kVersion)},
                   {"phase", checkpoint.phase},
                   {"seconds", fmt::format("{}", checkpoint.trained.seconds)},
                   {"epochs", fmt::format("{}", checkpoint.trained.epochs)},
                   {"log_bytes", fmt::format("{}", checkpoint.log_bytes)}};
  write_safetensors(file_in(folder), file);
}

std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& folder) {
  remove_leftovers(folder);
  if (!std::filesystem::exists(file_in(folder))) return std::nullopt;
  const MappedFile file(file_in(folder));
  return parse_checkpoint(file.bytes(), file_in(folder).string());
}

std::string checkpoint_bytes(const std::filesystem::path& folder) {
  const MappedFile file(file_in(folder));
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

Checkpoint parse_checkpoint(std::span<const std::byte> bytes, const std::string& where) {
  const Safetensors file = parse_safetensors(bytes, where);
  const auto text = [&](const std::string& key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  if (text("version") != kVersion) {
    throw FormatError(
        cat("[checkpoint] ", where, " is of version '", text("version"), "', expected ", kVersion));
  }
  Checkpoint result{.phase = text("phase"),
                    .trained = {.seconds = number_in<double>(file, "seconds"),
                                .epochs = number_in<std::int64_t>(file, "epochs")},
                    .log_bytes = number_in<std::uintmax_t>(file, "log_bytes"),
                    .state = {}};
  for (const auto& [name, tensor] : file.tensors) result.state[name] = unpacked(tensor, name);
  return result;
}

std::map<std::string, torch::Tensor> kept_state(const Checkpoint& checkpoint) {
  std::map<std::string, torch::Tensor> result;
  for (const auto& [name, tensor] : checkpoint.state) {
    if (name.starts_with(kKept)) result[name.substr(kKept.size())] = tensor;
  }
  return result;
}

bool Checkpoints::due() const {
  if (folder_.is_nowhere()) return false;
  if (interrupted()) return true;
  const std::chrono::duration<double, std::ratio<60>> passed =
      std::chrono::steady_clock::now() - last_;
  return minutes_ > 0.0 && passed.count() >= minutes_;
}

void Checkpoints::save(const std::string& phase,
                       const Trained& trained,
                       std::map<std::string, torch::Tensor> state) {
  if (folder_.is_nowhere()) return;
  state.insert(kept_.begin(), kept_.end());
  write_checkpoint(folder_.path(),
                   {.phase = phase,
                    .trained = trained,
                    .log_bytes = folder_.log_bytes(),
                    .state = std::move(state)});
  last_ = std::chrono::steady_clock::now();
}

void Checkpoints::keep(const std::map<std::string, torch::Tensor>& state) {
  for (const auto& [name, tensor] : state) kept_[cat(kKept, name)] = tensor.clone();
}

void Checkpoints::remove() const {
  if (folder_.is_nowhere()) return;
  std::error_code ignored;
  std::filesystem::remove(file_in(folder_.path()), ignored);
}

}  // namespace lastbit
