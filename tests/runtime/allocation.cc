#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "lastbit/zoo/zoo.h"
#include "reference.h"
#include "small_zoo.h"

// The global operators of this program count, so that what `run` takes from the heap is seen.

namespace {

std::atomic<std::size_t> allocations{0};

constexpr std::size_t kAlignment = alignof(std::max_align_t);

void* counted_or_null(std::size_t size, std::size_t alignment = kAlignment) noexcept {
  ++allocations;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* counted(std::size_t size, std::size_t alignment = kAlignment) {
  void* memory = counted_or_null(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// GCC sees `free` in what it inlines of a deletion, and `new` in what it does not of an allocation.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

// Every form, so that none of a sanitizer's own meets one of these.
void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted_or_null(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return counted_or_null(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counted_or_null(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counted_or_null(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace lastbit {
namespace {

TEST(Session, AllocatesNothingInRun) {
  for (const Architecture& architecture : architectures()) {
    if (architecture.kind != NetworkKind::kClassifier) continue;
    for (const bool packed : {false, true}) {
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(architecture.name);
        Graph graph = make_network(architecture.name, reference::small_zoo(architecture.name));
        if (packed) graph = reference::quantized(std::move(graph), "ternary");
        Session session(graph,
                        {.batch = 4,
                         .threads = threads,
                         .activations = packed ? Activations::kInt8 : Activations::kFloat});
        const auto size = static_cast<std::size_t>(element_count(session.inputs()[0].shape));
        const std::vector<float> input(size, 0.5F);
        std::vector<float> output(std::size_t{4} * 10);
        const std::span<const float> in = input;
        const std::span<float> out = output;
        const std::size_t before = allocations;
        for (int i = 0; i < 3; ++i) session.run({&in, 1}, {&out, 1});
        EXPECT_EQ(allocations, before);
      }
    }
  }
}

TEST(Session, IsCountedByTheOperatorsOfThisProgram) {
  const std::size_t before = allocations;
  const Session session(make_network("mlp", {}));
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace lastbit
