#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace lastbit {

/// Bytes that never change once made, so copies share them.
class Bytes {
 public:
  Bytes() = default;
  Bytes(std::vector<std::uint8_t> bytes)  // NOLINT(google-explicit-constructor)
      : Bytes(std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes))) {}
  Bytes(std::initializer_list<std::uint8_t> bytes) : Bytes(std::vector<std::uint8_t>(bytes)) {}
  /// Bytes that live as long as `owner` does.
  Bytes(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner) noexcept
      : owner_(std::move(owner)), bytes_(bytes) {}

  const std::uint8_t* data() const noexcept { return bytes_.data(); }
  std::size_t size() const noexcept { return bytes_.size(); }
  const std::uint8_t* begin() const noexcept { return data(); }
  const std::uint8_t* end() const noexcept { return data() + size(); }

  friend bool operator==(const Bytes& a, const Bytes& b) noexcept {
    return std::ranges::equal(a.bytes_, b.bytes_);
  }

 private:
  explicit Bytes(std::shared_ptr<const std::vector<std::uint8_t>> bytes) noexcept : bytes_(*bytes) {
    owner_ = std::move(bytes);
  }

  std::shared_ptr<const void> owner_;
  std::span<const std::uint8_t> bytes_;
};

}  // namespace lastbit
