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

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  struct Free {
    void operator()(void* memory) const noexcept;
  };

  std::unique_ptr<void, Free> memory_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace lastbit
