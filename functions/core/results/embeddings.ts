/** Vectors that tell faces apart: how they are saved, and how two are compared. */

/** Little-endian float32, base64. */
export function encodeEmbedding(embedding: Float32Array): string {
  const bytes = Buffer.alloc(embedding.length * 4);
  for (const [i, value] of embedding.entries()) bytes.writeFloatLE(value, i * 4);
  return bytes.toString('base64');
}

export function decodeEmbedding(encoded: string): Float32Array {
  return floatsFrom(Buffer.from(encoded, 'base64'));
}

/** From little-endian float32. */
export function floatsFrom(bytes: Buffer): Float32Array {
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readFloatLE(i * 4));
}

/** Of length 1; a vector of zeros stays one. */
export function normalised(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector.slice();
}

/** Of two vectors of length 1 their cosine. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
