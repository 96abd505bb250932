#pragma once

#include <cstddef>
#include <memory>

namespace lastbit {

/// Zeroed memory that begins at a multiple of 64 bytes.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  /// @throws WorkError if there is no memory.
  explicit AlignedBytes(std::size_t size);

  std::byte* data() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return size_; }

 private:
  struct Delete {
    void operator()(std::byte* bytes) const noexcept;
  };

  std::unique_ptr<std::byte, Delete> bytes_;
  std::size_t size_ = 0;
};

}  // namespace lastbit
