/** A constant of a graph: its values in row-major order. */
export interface Tensor {
  shape: number[];
  data: Float32Array | Int32Array;
}

/**
 * Reorders the axes: axis `i` of the result is axis `order[i]` of `tensor`, as in NumPy.
 *
 * TensorFlow keeps pictures as NHWC and kernels as HWIO; ONNX wants NCHW and OIHW.
 */
export function transpose(tensor: Tensor, order: number[]): Tensor {
  const strides: number[] = [];
  tensor.shape.reduceRight((stride, size, axis) => {
    strides[axis] = stride;
    return stride * size;
  }, 1);
  const shape = order.map((axis) => tensor.shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const data = tensor.data.slice();
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = tensor.data[index.reduce((offset, at, axis) => offset + at * steps[axis]!, 0)]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return { shape, data };
}
