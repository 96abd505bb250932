#include "lastbit/base/file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

[[noreturn]] void fail(std::string_view doing, const std::filesystem::path& path, int error) {
  throw InputError(cat(
      "[file] cannot ", doing, " ", path.string(), ": ", std::generic_category().message(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// A new, empty file beside its final place. Removed on destruction unless it was renamed.
class Temporary {
 public:
  explicit Temporary(const std::filesystem::path& path)
      : path_(path), name_(path.string() + ".XXXXXX") {
    const std::filesystem::path folder = path.parent_path();
    std::error_code error;
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error) fail("create the folder of", path, error.value());
    if (std::filesystem::is_directory(path, error)) fail("write", path, EISDIR);
    fd_ = ::mkstemp(name_.data());
    if (fd_ < 0) {
      name_.clear();
      fail("write", path, errno);
    }
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (fd_ >= 0) ::close(fd_);
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  void write(std::string_view piece) {
    while (!piece.empty()) {
      const ssize_t wrote = ::write(fd_, piece.data(), piece.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) fail("write", path_, wrote < 0 ? errno : ENOSPC);
      piece.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }

  void rename() {
    // mkstemp makes the file private; the result should be as readable as any other new file.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(fd_, 0666 & ~mask) != 0) fail("write", path_, errno);
    if (::fsync(fd_) != 0) fail("write", path_, errno);
    if (::close(std::exchange(fd_, -1)) != 0) fail("write", path_, errno);
    if (::rename(name_.c_str(), path_.c_str()) != 0) fail("write", path_, errno);
    name_.clear();
  }

 private:
  std::filesystem::path path_;
  std::string name_;
  int fd_ = -1;
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("read", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail("read", path, errno);
  if (S_ISDIR(status.st_mode)) fail("read", path, EISDIR);
  if (!S_ISREG(status.st_mode)) {
    throw InputError(cat("[file] cannot read ", path.string(), ": not a regular file"));
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) fail("read", path, errno);
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void write_file(const std::filesystem::path& path, std::span<const std::string_view> pieces) {
  Temporary file(path);
  for (const std::string_view piece : pieces) file.write(piece);
  file.rename();
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  const std::array<std::string_view, 1> pieces{text};
  write_file(path, pieces);
}

void require_writable(const std::filesystem::path& path) { const Temporary probe(path); }

}  // namespace lastbit
