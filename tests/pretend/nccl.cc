#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

#include "driver.h"
#include "memory.h"

// NCCL's functions that LastBit looks up, over memory that the workers of a machine share.

namespace lastbit::pretend {
namespace {

constexpr int kSuccess = 0;
constexpr int kSystemError = 2;
constexpr int kMaxWorkers = 8;
constexpr std::size_t kChunk = std::size_t{1} << 20U;  // bytes of a worker in memory at a time

struct Id {
  char bytes[128];  // the name of the shared memory
};

// Of one group, zeros at first.
struct Shared {
  std::atomic<int> joined;
  std::atomic<int> aborted;
  std::atomic<std::int64_t> arrived;  // at barriers, in all
  alignas(64) std::byte chunks[kMaxWorkers][kChunk];
};

struct Communicator {
  Shared* shared;
  int size;
  int rank;
  std::int64_t barriers = 0;
};

// False if a worker aborts.
bool wait_until(const Shared& shared, const std::function<bool()>& done) {
  while (!done()) {
    if (shared.aborted != 0) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  return true;
}

bool barrier(Communicator& group) {
  ++group.shared->arrived;
  const std::int64_t expected = ++group.barriers * group.size;
  return wait_until(*group.shared, [&] { return group.shared->arrived >= expected; });
}

// In the order of the ranks.
template <typename Number>
void sum_chunk(const Communicator& group, Number* to, std::size_t count) {
  std::fill_n(to, count, Number{0});
  for (int worker = 0; worker < group.size; ++worker) {
    const auto* const part = reinterpret_cast<const Number*>(group.shared->chunks[worker]);
    for (std::size_t i = 0; i < count; ++i) to[i] += part[i];
  }
}

template <typename Number>
void sum(Communicator& group, Number* values, std::size_t count) {
  // Late enough for a reader that does not wait to be wrong.
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  constexpr std::size_t kMost = kChunk / sizeof(Number);
  for (std::size_t begin = 0; begin < count; begin += kMost) {
    const std::size_t size = std::min(kMost, count - begin);
    std::memcpy(group.shared->chunks[group.rank], values + begin, size * sizeof(Number));
    if (!barrier(group)) return;
    sum_chunk(group, values + begin, size);
    if (!barrier(group)) return;
  }
}

}  // namespace
}  // namespace lastbit::pretend

// NOLINTBEGIN(readability-identifier-naming): the names of the library that it stands in for.
extern "C" {

int ncclGetUniqueId(lastbit::pretend::Id* id) {
  std::snprintf(id->bytes,
                sizeof(id->bytes),
                "/lastbit-pretended-nccl-%d-%u",
                static_cast<int>(::getpid()),
                std::random_device{}());
  return lastbit::pretend::kSuccess;
}

int ncclCommInitRank(void** communicator, int size, lastbit::pretend::Id id, int rank) {
  using lastbit::pretend::Communicator;
  using lastbit::pretend::Shared;
  if (size > lastbit::pretend::kMaxWorkers) return lastbit::pretend::kSystemError;
  const int file = ::shm_open(id.bytes, O_CREAT | O_RDWR, 0600);
  if (file < 0) return lastbit::pretend::kSystemError;
  void* memory = MAP_FAILED;
  if (::ftruncate(file, sizeof(Shared)) == 0)
    memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return lastbit::pretend::kSystemError;
  auto* const shared = static_cast<Shared*>(memory);
  ++shared->joined;
  lastbit::pretend::wait_until(*shared, [&] { return shared->joined >= size; });
  if (rank == 0) ::shm_unlink(id.bytes);
  *communicator = new Communicator{shared, size, rank};
  return lastbit::pretend::kSuccess;
}

int ncclAllReduce(const void* from,
                  void* to,
                  std::size_t count,
                  int type,
                  int /*operation*/,
                  void* communicator,
                  void* stream) {
  if (from != to) return lastbit::pretend::kSystemError;
  auto* const group = static_cast<lastbit::pretend::Communicator*>(communicator);
  void* const values = lastbit::pretend::host_address(to);
  lastbit::pretend::enqueue(stream, [group, values, count, type] {
    constexpr int kFloat32 = 7;
    if (type == kFloat32) {
      lastbit::pretend::sum(*group, static_cast<float*>(values), count);
    } else {
      lastbit::pretend::sum(*group, static_cast<double*>(values), count);
    }
  });
  return lastbit::pretend::kSuccess;
}

int ncclCommAbort(void* communicator) {
  // Left in memory: a stream may still look at it.
  static_cast<lastbit::pretend::Communicator*>(communicator)->shared->aborted = 1;
  return lastbit::pretend::kSuccess;
}

const char* ncclGetErrorString(int /*result*/) { return "pretended system error"; }

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
