/**
 * Whether the device that was rented is really there. A machine whose GPU is missing, lost or too old
 * for its driver must say so and leave before it claims a job, and so must an image without CUDA's
 * libraries: its models would run on the CPU of a machine that is paid for its GPU. Whoever wants that
 * sets AIMA_DEVICE=cpu. The device is chosen here, once; nothing falls back to another one later.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { OnnxGraph } from '../models/onnx/graph.ts';

export interface Gpu {
  name: string;
  vramMb: number;
  driver: string;
}

/** `cuda`: an ONNX model ran on that GPU. */
export type Device = { kind: 'cpu' } | { kind: 'cuda'; gpu: Gpu };

/** The machine cannot do what it was rented for. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
}

/** A GPU that fell off the bus makes nvidia-smi hang rather than fail. */
const answerTimeoutMs = 30_000;

/** @throws Unfit with a sentence. */
export async function testDevice(kind: Device['kind']): Promise<Device> {
  if (kind === 'cpu') return { kind };
  const gpu = await findGpu();
  if (!hasCudaLibraries()) {
    throw new Unfit(
      'No model can run on the GPU: the image has no CUDA libraries for onnxruntime-node (gpu-worker/Dockerfile brings them).',
    );
  }
  await runOneModel('cuda');
  return { kind, gpu };
}

/** As reports of runs call it. */
export function deviceName(device: Device): string {
  return device.kind === 'cuda' ? `cuda (${device.gpu.name})` : 'cpu';
}

async function findGpu(): Promise<Gpu> {
  const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader,nounits'];
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: answerTimeoutMs });
    return parseGpu(stdout);
  } catch (error) {
    if (error instanceof Unfit) throw error;
    const { code, killed, stdout, message } = error as NodeJS.ErrnoException & {
      killed?: boolean;
      stdout?: string;
    };
    if (code === 'ENOENT') throw new Unfit('There is no GPU: nvidia-smi is missing.');
    if (killed) throw new Unfit('The GPU does not answer: nvidia-smi hangs.');
    throw new Unfit(`The GPU does not work: ${(stdout?.trim() || message).slice(0, 300)}`);
  }
}

/**
 * The first GPU in what nvidia-smi lists: name, memory in MiB, version of the driver.
 * @throws Unfit where there is none or it is in trouble, which is told in the place of a value.
 */
export function parseGpu(csv: string): Gpu {
  const line = csv.trim().split('\n')[0] ?? '';
  const [, name, vram, driver] = /^(.+), (\d+), ([\d.]+)$/.exec(line.trim()) ?? [];
  if (!name || !vram || !driver)
    throw new Unfit(`The GPU does not work: ${line.slice(0, 300) || 'none is listed'}`);
  return { name, vramMb: Number(vram), driver };
}

/** They are too large for npm: the container image adds them beside the package's own library. */
function hasCudaLibraries(): boolean {
  const library = `bin/napi-v6/${process.platform}/${process.arch}/libonnxruntime_providers_cuda.so`;
  return existsSync(
    join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')), library),
  );
}

/**
 * A model of a convolution and a multiplication, since CUDA has a library for each (cuDNN, cuBLAS).
 * @throws Unfit where it does not run or computes something else.
 */
export async function runOneModel(provider: Device['kind']): Promise<void> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const graph = new OnnxGraph();
  const sum = graph.node('Conv', ['input', graph.floats([1, 1, 1, 2], Float32Array.of(3, 4))]);
  const product = graph.node('MatMul', [sum, graph.floats([1, 1], Float32Array.of(2))]);
  const model = graph.encode([{ name: 'input', dims: [1, 1, 1, 2] }], [{ name: product }]);
  try {
    const session = await InferenceSession.create(model, {
      executionProviders: [provider],
      // Otherwise what the GPU refuses would quietly run on the CPU.
      ...(provider === 'cuda' ? { extra: { session: { disable_cpu_ep_fallback: '1' } } } : {}),
    });
    const result = await session.run({ input: new Tensor('float32', [5, 6], [1, 1, 1, 2]) });
    await session.release();
    const [value] = result[product]!.data;
    if (value !== 78) throw new Error(`it computes (5·3 + 6·4)·2 = ${value}`);
  } catch (error) {
    throw new Unfit(`No model runs on the device: ${(error as Error).message.slice(0, 300)}`);
  }
}
