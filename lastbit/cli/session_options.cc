#include "lastbit/cli/session_options.h"

#include <string>

namespace lastbit {

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
}

}  // namespace lastbit
