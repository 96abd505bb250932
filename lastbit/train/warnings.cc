#include "lastbit/train/warnings.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <set>
#include <string>

#include <c10/util/Exception.h>
#include <torch/version.h>

#include "lastbit/base/text.h"

namespace lastbit {
namespace {

class Once final : public c10::WarningHandler {
 public:
#if TORCH_VERSION_MAJOR >= 2
  void process(const c10::Warning& warning) override { say(warning.msg()); }
#else
  void process(const c10::SourceLocation& /*place*/,
               const std::string& message,
               const bool /*verbatim*/) override {
    say(message);
  }
#endif

 private:
  void say(std::string message) {
    const std::lock_guard lock(mutex_);
    if (!said_.insert(message).second) return;
    std::replace(message.begin(), message.end(), '\n', ' ');
    const std::string line = cat("lastbit: LibTorch warns, once: ", message, "\n");
    std::fputs(line.c_str(), stderr);
  }

  std::mutex mutex_;
  std::set<std::string> said_;
};

}  // namespace

void say_warnings_once() {
  static auto& once = *new Once;  // for threads that end after main
#if TORCH_VERSION_MAJOR >= 2
  c10::WarningUtils::set_warning_handler(&once);
#else
  c10::Warning::set_warning_handler(&once);
#endif
}

}  // namespace lastbit
