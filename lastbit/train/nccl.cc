#include "lastbit/train/nccl.h"

#include <thread>
#include <utility>

#include <c10/core/DeviceGuard.h>

#include "lastbit/base/text.h"
#include "lastbit/train/ring.h"
#include "lastbit/train/symbol.h"

namespace lastbit {
namespace {

// nccl.h: ncclDataType_t and ncclRedOp_t, whose numbers are part of its binary interface.
constexpr int kFloat32 = 7;
constexpr int kFloat64 = 8;
constexpr int kSum = 0;

}  // namespace

std::unique_ptr<NcclLibrary> NcclLibrary::load() {
  // The one that LibTorch has loaded comes first. A library that was opened stays for good.
  for (void* const handle : {RTLD_DEFAULT, ::dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL)}) {
    auto library = std::make_unique<NcclLibrary>();
    if (find_symbol(handle, "ncclGetUniqueId", library->get_unique_id_) &&
        find_symbol(handle, "ncclCommInitRank", library->init_rank_) &&
        find_symbol(handle, "ncclAllReduce", library->all_reduce_) &&
        find_symbol(handle, "ncclCommAbort", library->abort_) &&
        find_symbol(handle, "ncclGetErrorString", library->error_text_)) {
      return library;
    }
  }
  return nullptr;
}

void NcclLibrary::check(int result, const char* what) const {
  if (result != 0) throw WorkError(cat("[workers] NCCL cannot ", what, ": ", error_text_(result)));
}

NcclId NcclLibrary::unique_id() const {
  NcclId id;
  check(get_unique_id_(&id), "make a group");
  return id;
}

Nccl::Nccl(std::unique_ptr<NcclLibrary> library,
           std::unique_ptr<CudaDriver> driver,
           const NcclId& id,
           int rank,
           int size,
           torch::Device device,
           std::chrono::milliseconds timeout)
    : library_(std::move(library)),
      stream_(std::move(driver), device),
      device_(device),
      timeout_(timeout) {
  const c10::DeviceGuard guard(device_);
  library_->check(library_->init_rank_(&communicator_, size, id, rank), "join the workers");
}

// Its orderly end would wait for workers that may be lost.
Nccl::~Nccl() { abort(); }

void Nccl::abort() noexcept {
  if (communicator_ != nullptr) library_->abort_(std::exchange(communicator_, nullptr));
}

void Nccl::start(const torch::Tensor& tensor) {
  const c10::DeviceGuard guard(device_);
  const int type = tensor.scalar_type() == torch::kFloat64 ? kFloat64 : kFloat32;
  void* const data = tensor.data_ptr();
  stream_.follow_default();
  library_->check(library_->all_reduce_(data,
                                        data,
                                        static_cast<std::size_t>(tensor.numel()),
                                        type,
                                        kSum,
                                        communicator_,
                                        stream_.handle()),
                  "sum");
}

void Nccl::finish() {
  const c10::DeviceGuard guard(device_);
  stream_.mark();
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  while (!stream_.reached_mark()) {
    if (std::chrono::steady_clock::now() > deadline) {
      abort();
      throw LostWorker(cat("[workers] a sum over all CUDA devices is not done within ",
                           static_cast<double>(timeout_.count()) / 1000.0,
                           " s (--timeout): a worker is lost"));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

}  // namespace lastbit
