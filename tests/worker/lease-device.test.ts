import { describe, expect, it } from 'vitest';
import { deviceName, parseGpu, runOneModel, testDevice, Unfit } from '../../gpu-worker/lease/device.ts';

describe('what nvidia-smi lists', () => {
  it('is the first GPU, whose name may have commas', () => {
    const csv = 'NVIDIA GeForce RTX 4090, Rev. 2, 24564, 550.54.15\nNVIDIA L4, 23034, 550.54.15\n';
    expect(parseGpu(csv)).toEqual({
      name: 'NVIDIA GeForce RTX 4090, Rev. 2',
      vramMb: 24564,
      driver: '550.54.15',
    });
  });

  it.each([
    '',
    'No devices were found',
    'NVIDIA L4, [N/A], 550.54.15',
    '[GPU is lost], [GPU is lost], 550.54.15',
    'NVIDIA L4, 23034, [Unknown Error]',
  ])('is no GPU that works: %j', (csv) => {
    expect(() => parseGpu(csv)).toThrow(Unfit);
  });
});

describe('the device test', () => {
  it('asks nothing of a CPU', async () => {
    expect(await testDevice('cpu')).toEqual({ kind: 'cpu' });
  });

  it('runs a model and checks what it computes', async () => {
    await runOneModel('cpu');
  });

  it('does not take the CPU for a GPU', async ({ skip }) => {
    const error = await runOneModel('cuda').catch((thrown: unknown) => thrown);
    if (error === undefined) skip('this machine has a GPU that works');
    expect(error).toBeInstanceOf(Unfit);
    expect((error as Error).message).toMatch(/^No model runs on the device: /);
  });

  it('names the GPU in reports', () => {
    const gpu = { name: 'NVIDIA L4', vramMb: 23034, driver: '550.54.15' };
    expect(deviceName({ kind: 'cuda', gpu })).toBe('cuda (NVIDIA L4)');
    expect(deviceName({ kind: 'cpu' })).toBe('cpu');
  });
});
