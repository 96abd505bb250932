#include "lastbit/cli/version.h"

#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"

namespace lastbit {

std::string_view version() noexcept { return LASTBIT_VERSION; }

std::string build_facts() {
  return cat("compiler: ",
             __VERSION__,
             "\nbuild: ",
             LASTBIT_BUILD_TYPE,
             "\ntraining: ",
             LASTBIT_WITH_TRAINING,
             "\nprocessors: ",
             usable_processors());
}

}  // namespace lastbit
