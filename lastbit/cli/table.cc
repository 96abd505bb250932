#include "lastbit/cli/table.h"

#include <algorithm>
#include <cstddef>

namespace lastbit {

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string result;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < rows_[r].size(); ++i) {
      const std::string padding(widths[i] - rows_[r][i].size(), ' ');
      line += i == 0 ? rows_[r][i] + padding : "  " + padding + rows_[r][i];
    }
    result += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    if (r > 0) continue;
    std::size_t total = 0;
    for (const std::size_t width : widths) total += width;
    result += std::string(total + 2 * (widths.size() - 1), '-') + "\n";
  }
  return result;
}

}  // namespace lastbit
