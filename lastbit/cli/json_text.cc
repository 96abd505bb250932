#include "lastbit/cli/json_text.h"

#include <nlohmann/json.hpp>

namespace lastbit {

std::string json_line(const nlohmann::ordered_json& value) {
  using Json = nlohmann::ordered_json;
  return value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lastbit
