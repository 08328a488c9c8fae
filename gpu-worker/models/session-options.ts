/**
 * How ONNX Runtime runs a model on a device.
 *
 * Of CUDA's options the Node binding hands on the number of the device and nothing else
 * (https://github.com/microsoft/onnxruntime/blob/main/js/node/src/session_options_helper.cc), so two
 * defaults of ONNX Runtime stand (https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html):
 *
 * - `arena_extend_strategy` kNextPowerOfTwo: a session's memory grows in doubling steps. Weights are
 *   kept out of that arena here, so that only what a run needs in between is doubled.
 * - `cudnn_conv_algo_search` EXHAUSTIVE: the first run of each input shape tries every algorithm.
 *   Detectors see one shape; whoever feeds shapes that vary rounds them to few.
 */
import type { InferenceSession } from 'onnxruntime-node';
import type { DeviceKind } from './manifest.ts';

/** The first GPU, which the device test looked at: CUDA_DEVICE_ORDER=PCI_BUS_ID in the image makes CUDA count as nvidia-smi does. */
const GPU = 0;

const ERRORS_ONLY = 3;

/** @param threads CPU threads of the session. */
export function sessionOptions(device: DeviceKind, threads: number): InferenceSession.SessionOptions {
  return {
    // What CUDA has no kernel for runs on the CPU, node by node. Without CUDA's libraries this throws.
    executionProviders: device === 'cuda' ? [{ name: 'cuda', deviceId: GPU }, 'cpu'] : ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: ERRORS_ONLY,
    extra: {
      session: {
        // Threads that wait for work by spinning take cores from decoders and other models: a detector's
        // run took 147 ms with and 96 ms without it on two busy cores.
        intra_op: { allow_spinning: '0' },
        ...(device === 'cuda' ? { use_device_allocator_for_initializers: '1' } : {}),
      },
    },
  };
}
