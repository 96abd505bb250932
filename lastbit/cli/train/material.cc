#include "lastbit/cli/train/material.h"

#include <nlohmann/json.hpp>

#include "lastbit/cli/train/boxed_images.h"
#include "lastbit/cli/train/labelled_samples.h"
#include "lastbit/cli/train/text_material.h"
#include "lastbit/data/detection.h"
#include "lastbit/data/text.h"

namespace lastbit {

std::unique_ptr<Material> open_material(const DataChoice& choice, const Graph* model) {
  if (is_detection_name(choice.name)) return open_boxed_images(choice);
  if (is_text_name(choice.name)) return open_text_material(choice, model);
  return open_labelled_samples(choice);
}

void log_skipped(const Workload& data, RunFolder& folder) {
  const auto skipped = report_skipped({data.train->skipped(), data.test->skipped()});
  if (!skipped.empty()) folder.log({{"phase", "data"}, {"skipped", skipped}});
}

}  // namespace lastbit
