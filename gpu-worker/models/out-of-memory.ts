/** Telling a run that failed for lack of memory from one that failed otherwise: only the first is worth trying smaller. */

/**
 * ONNX Runtime has no error code for it, only sentences: of its arena ("Failed to allocate memory for
 * requested buffer of size 1", bfc_arena.cc: "Available memory of 1 is smaller than requested bytes of 2"),
 * of CUDA (cudaErrorMemoryAllocation: "out of memory"), cuBLAS and cuDNN (their status codes), and of
 * C++ itself (std::bad_alloc). On a CPU a size beyond what the allocator can count is "SafeIntOnOverflow".
 */
const sentences =
  /failed to allocate memory|available memory of \d+ is smaller|out of memory|bad_alloc|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_(ALLOC_FAILED|INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)/i;

export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && sentences.test(error.message);
}
