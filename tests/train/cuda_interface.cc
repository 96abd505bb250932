#include <cuda.h>
#include <nccl.h>
#include <type_traits>

#include <gtest/gtest.h>

#include "lastbit/train/cuda_driver.h"
#include "lastbit/train/nccl.h"

// What LastBit looks up by name, beside the headers of CUDA and NCCL where a machine has them.

namespace lastbit {
namespace {

template <typename Function, typename Result, typename... Arguments>
constexpr bool kIs = std::is_same_v<Function, Result (*)(Arguments...)>;

TEST(CudaInterface, IsThatOfTheHeaders) {
  static_assert(kIs<decltype(&cuStreamCreate), CUresult, CUstream*, unsigned>);
  static_assert(kIs<decltype(&cuStreamDestroy), CUresult, CUstream>);
  static_assert(kIs<decltype(&cuEventCreate), CUresult, CUevent*, unsigned>);
  static_assert(kIs<decltype(&cuEventDestroy), CUresult, CUevent>);
  static_assert(kIs<decltype(&cuEventRecord), CUresult, CUevent, CUstream>);
  static_assert(kIs<decltype(&cuStreamWaitEvent), CUresult, CUstream, CUevent, unsigned>);
  static_assert(kIs<decltype(&cuEventQuery), CUresult, CUevent>);
  static_assert(kIs<decltype(&cuDeviceGet), CUresult, CUdevice*, int>);
  static_assert(kIs<decltype(&cuDeviceGetUuid), CUresult, CUuuid*, CUdevice>);
  static_assert(std::is_same_v<CUdevice, int>);
  static_assert(sizeof(CUuuid) == sizeof(CudaDeviceId));
  static_assert(sizeof(CUresult) == sizeof(int));
  static_assert(std::is_pointer_v<CUstream> && std::is_pointer_v<CUevent>);
  static_assert(CUDA_SUCCESS == 0 && CUDA_ERROR_NOT_READY == 600);
  static_assert(CU_STREAM_NON_BLOCKING == 1 && CU_EVENT_DISABLE_TIMING == 2);
}

TEST(NcclInterface, IsThatOfTheHeader) {
  static_assert(kIs<decltype(&ncclGetUniqueId), ncclResult_t, ncclUniqueId*>);
  static_assert(
      kIs<decltype(&ncclCommInitRank), ncclResult_t, ncclComm_t*, int, ncclUniqueId, int>);
  static_assert(kIs<decltype(&ncclAllReduce),
                    ncclResult_t,
                    const void*,
                    void*,
                    std::size_t,
                    ncclDataType_t,
                    ncclRedOp_t,
                    ncclComm_t,
                    cudaStream_t>);
  static_assert(kIs<decltype(&ncclCommAbort), ncclResult_t, ncclComm_t>);
  static_assert(kIs<decltype(&ncclGetErrorString), const char*, ncclResult_t>);
  static_assert(sizeof(ncclUniqueId) == sizeof(NcclId));
  static_assert(sizeof(ncclDataType_t) == sizeof(int) && sizeof(ncclRedOp_t) == sizeof(int));
  static_assert(std::is_pointer_v<ncclComm_t>);
  static_assert(ncclSuccess == 0 && ncclFloat32 == 7 && ncclFloat64 == 8 && ncclSum == 0);
}

}  // namespace
}  // namespace lastbit
