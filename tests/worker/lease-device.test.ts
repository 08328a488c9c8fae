import { describe, expect, it } from 'vitest';
import { parseGpu, runOneModel, testDevice, Unfit } from '../../gpu-worker/lease/device.ts';

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
});
