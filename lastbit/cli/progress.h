#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lastbit {

/// "3.2 s", "4 min 05 s", "2 h 11 min"
std::string duration_text(double seconds);
/// "86.1 KB", "1.7 MB": decimal units
std::string bytes_text(double bytes);

/// How far a long piece of work is, on standard error. On a terminal one line is drawn over itself,
/// with a bar, rate and time left; elsewhere nothing is drawn, and `line` alone prints.
class ProgressBar {
 public:
  /// @param total   units of work. @param unit  "images".
  /// @param before  units that were done before, and tell nothing of the rate.
  ProgressBar(std::int64_t total, std::string unit, std::int64_t before = 0);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// @param done  units done. @param note  what else to tell, as "loss 0.031".
  void update(std::int64_t done, const std::string& note);
  /// Prints a line that stays, above the bar.
  void line(const std::string& text);

 private:
  void clear();

  using Clock = std::chrono::steady_clock;

  std::int64_t total_;
  std::string unit_;
  std::int64_t before_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point last_draw_;
};

}  // namespace lastbit
