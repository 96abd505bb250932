#pragma once

#include <filesystem>
#include <string>
#include <sys/mount.h>

namespace lastbit {

/// A file system of a few bytes at `place`, where this process may mount one.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path place, int bytes) : place_(std::move(place)) {
    std::filesystem::create_directories(place_);
    const std::string options = "size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", place_.c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(place_.c_str(), MNT_DETACH);
  }

  bool mounted() const { return mounted_; }

 private:
  std::filesystem::path place_;
  bool mounted_ = false;
};

}  // namespace lastbit
