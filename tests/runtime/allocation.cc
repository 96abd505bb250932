#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "lastbit/quant/projector.h"
#include "lastbit/zoo/zoo.h"
#include "reference.h"

// The global operators of this program count, so that what `run` takes from the heap is seen.

namespace {

std::atomic<std::size_t> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace lastbit {
namespace {

Graph ternary(Graph graph) {
  const auto projector = parse_projector("ternary");
  for (const WeightUse& use : lowbit_candidates(graph)) {
    Initializer& initializer = graph.initializers.find(use.initializer)->second;
    const Tensor weights = decode(initializer);
    initializer = pack_lowbit(
        projector->project(weights.as_floats(), channel_layout(weights.shape(), use.channel_axis)),
        weights.shape(),
        use.channel_axis,
        projector->name());
  }
  return graph;
}

TEST(Session, AllocatesNothingInRun) {
  for (const Architecture& architecture : architectures()) {
    for (const bool packed : {false, true}) {
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(architecture.name);
        Graph graph = make_network(architecture.name, {});
        if (packed) graph = ternary(std::move(graph));
        Session session(graph, {.batch = 64, .threads = threads});
        const std::vector<float> input(64 * 784, 0.5F);
        std::vector<float> output(64 * 10);
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
