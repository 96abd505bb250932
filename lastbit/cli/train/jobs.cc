#include "lastbit/cli/train/jobs.h"

#include <iostream>

#include "lastbit/cli/json_text.h"

namespace lastbit {

void print(const JobResult& result) {
  if (result.as_json) {
    std::cout << json_line(result.json);
  } else {
    std::cout << result.text << "\n";
  }
}

}  // namespace lastbit
