#pragma once

#include <string>
#include <vector>

namespace lastbit {

/// Rows of cells under a header, printed with aligned columns: the first to the left, the others,
/// which hold numbers, to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lastbit
