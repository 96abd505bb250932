#include "lastbit/cli/session_options.h"

#include <map>
#include <string>

namespace lastbit {

void add_session_options(CLI::App& app, SessionOptions& options) {
  const std::map<std::string, Activations> kinds = {{"float", Activations::kFloat},
                                                    {"int8", Activations::kInt8}};
  app.add_option("--activations",
                 options.activations,
                 "What low-bit weights are multiplied with: float32 (float), or integers of 8 bits "
                 "made in each run (int8)")
      ->transform(CLI::CheckedTransformer(kinds).description(""))
      ->type_name("float|int8")
      ->default_str("float");
  app.add_option("--kernels",
                 options.kernels,
                 "Instruction set, as far as this processor has it: avx512vnni, avx512, avx2, "
                 "baseline, scalar")
      ->type_name("NAME");
}

}  // namespace lastbit
