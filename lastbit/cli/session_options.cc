#include "lastbit/cli/session_options.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

void add_size(std::string_view text, SessionOptions& options) {
  const std::string_view name = text.substr(0, text.find('='));
  const std::string_view number = text.substr(std::min(name.size() + 1, text.size()));
  std::int64_t size = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), size);
  const bool whole = error == std::errc{} && end == number.data() + number.size();
  if (name.empty() || !whole || size < 1) {
    throw InputError(cat("[model] --size '", text, "', expected NAME=N as in steps=35"));
  }
  if (!options.sizes.emplace(name, size).second) {
    throw InputError(cat("[model] --size gives '", name, "' twice"));
  }
}

}  // namespace

void add_session_options(CLI::App& app, SessionOptions& options) {
  app.add_option_function<std::string>(
         "--activations",
         [&options](const std::string& kind) {
           options.activations = kind == "int8" ? Activations::kInt8 : Activations::kFloat;
         },
         "What low-bit weights are multiplied with: float32 (float), or integers of 8 bits made in "
         "each run (int8)")
      ->check(CLI::IsMember({"float", "int8"}))
      ->type_name("float|int8")
      ->default_str("float");
  app.add_option("--kernels",
                 options.kernels,
                 "Instruction set, as far as this processor has it: avx512vbmi2, avx512vnni, "
                 "avx512, avx2, baseline, scalar")
      ->type_name("NAME");
  app.add_option_function<std::vector<std::string>>(
         "--size",
         [&options](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) add_size(text, options);
         },
         "Size of a dimension of the inputs that the file leaves open, as steps=35; may be given "
         "several times")
      ->type_name("NAME=N");
}

}  // namespace lastbit
