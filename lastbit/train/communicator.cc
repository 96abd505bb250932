#include "lastbit/train/communicator.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "lastbit/base/checksum.h"
#include "lastbit/base/text.h"
#include "lastbit/train/nccl.h"
#include "lastbit/train/network.h"
#include "lastbit/train/task_thread.h"

namespace lastbit {
namespace {

template <typename T>
std::span<T> elements(const torch::Tensor& tensor) {
  return {tensor.data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

class RingCommunicator final : public Communicator {
 public:
  RingCommunicator(Ring ring, torch::Device device) : ring_(std::move(ring)) {
    join_devices(device);
  }
  // Where the work ends in the middle of a sum, the others are not to wait for the rest of it.
  ~RingCommunicator() override { ring_.shut_down(); }

  int rank() const noexcept override { return ring_.rank(); }
  int size() const noexcept override { return ring_.size(); }

  void sum(torch::Tensor tensor) override {
    if (by_nccl(tensor)) {
      nccl_->start(tensor);
      nccl_->finish();
      return;
    }
    try {
      thread_.wait();
      sum_by_ring(tensor);
    } catch (const LostWorker&) {
      if (nccl_ != nullptr) nccl_->abort();  // else the device would wait for the worker
      throw;
    }
  }

  void start_sum(torch::Tensor tensor) override {
    if (by_nccl(tensor)) {
      nccl_->start(tensor);
    } else {
      thread_.start([this, tensor = std::move(tensor)] { sum_by_ring(tensor); });
    }
  }

  void finish_sums() override {
    thread_.wait();
    if (nccl_ != nullptr) nccl_->finish();
  }

  void broadcast(torch::Tensor tensor) override {
    ring_.broadcast({static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
  }

 private:
  bool by_nccl(const torch::Tensor& tensor) const { return nccl_ != nullptr && !tensor.is_cpu(); }

  void join_devices(torch::Device device) {
    if (!device.is_cuda()) return;
    // One without the library would leave the others waiting.
    std::unique_ptr<NcclLibrary> library = NcclLibrary::load();
    std::unique_ptr<CudaDriver> driver = CudaDriver::load();
    const bool found = library != nullptr && driver != nullptr;
    if (!all_differ(found ? driver->device_id(device) : CudaDeviceId{})) return;
    NcclId id = rank() == 0 ? library->unique_id() : NcclId{};
    ring_.broadcast(std::as_writable_bytes(std::span(&id, 1)));
    nccl_ = std::make_unique<Nccl>(
        std::move(library), std::move(driver), id, rank(), size(), device, ring_.timeout());
  }

  // Whether each worker has a device of its own, as NCCL demands: zeros stand for none.
  bool all_differ(const CudaDeviceId& own) {
    const auto workers = static_cast<std::size_t>(size());
    std::vector<double> bytes(workers * own.size());
    std::copy(own.begin(), own.end(), bytes.begin() + rank() * std::ssize(own));
    ring_.sum(bytes);
    std::set<std::vector<double>> devices = {std::vector<double>(own.size(), 0.0)};
    for (auto at = bytes.begin(); at != bytes.end(); at += std::ssize(own)) {
      if (!devices.emplace(at, at + std::ssize(own)).second) return false;
    }
    return true;
  }

  void sum_by_ring(const torch::Tensor& tensor) {
    if (tensor.is_cpu()) {
      sum_on_cpu(tensor);
      return;
    }
    const torch::Tensor host = tensor.to(torch::kCPU);
    sum_on_cpu(host);
    tensor.copy_(host);
  }

  void sum_on_cpu(const torch::Tensor& tensor) {
    if (tensor.scalar_type() == torch::kFloat64) {
      ring_.sum(elements<double>(tensor));
    } else {
      ring_.sum(elements<float>(tensor));
    }
  }

  Ring ring_;
  std::unique_ptr<Nccl> nccl_;
  TaskThread thread_;  // the ring is its own until a wait for it
};

}  // namespace

std::unique_ptr<Communicator> make_communicator(Ring ring, torch::Device device) {
  return std::make_unique<RingCommunicator>(std::move(ring), device);
}

std::string broadcast(Communicator& workers, const std::string& text) {
  torch::Tensor size = torch::full({1}, static_cast<std::int64_t>(text.size()), torch::kInt64);
  workers.broadcast(size);
  torch::Tensor bytes = torch::empty({size.item<std::int64_t>()}, torch::kUInt8);
  if (workers.rank() == 0) std::memcpy(bytes.data_ptr(), text.data(), text.size());
  workers.broadcast(bytes);
  return {static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()};
}

void broadcast(Communicator& workers, Network& network) {
  std::map<std::string, torch::Tensor> state = network.state();
  for (auto& [name, tensor] : state) workers.broadcast(tensor);
  if (workers.rank() != 0) network.load(state);
}

void require_same(Communicator& workers, const torch::Tensor& tensor, const std::string& where) {
  const torch::Tensor host = tensor.detach().to(torch::kCPU).contiguous();
  const std::uint64_t own =
      checksum({static_cast<const std::byte*>(host.data_ptr()), host.nbytes()});
  torch::Tensor first = torch::full({1}, std::bit_cast<std::int64_t>(own), torch::kInt64);
  workers.broadcast(first);
  torch::Tensor different = torch::zeros({workers.size()}, torch::kFloat64);
  if (std::bit_cast<std::uint64_t>(first.item<std::int64_t>()) != own)
    different[workers.rank()] = 1;
  workers.sum(different);
  const std::int64_t count = different.sum().item<std::int64_t>();
  if (count == 0) return;
  throw WorkError(cat("[workers] ",
                      where,
                      " the weights of ",
                      count,
                      " workers, the first of them worker ",
                      different.argmax().item<std::int64_t>(),
                      ", differ from worker 0's, expected the same bits (are the machines of one "
                      "kind, with the same program?)"));
}

}  // namespace lastbit
