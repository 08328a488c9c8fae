/**
 * Reflected CRCs that Node does not have, a byte at a time from a table. About 0.3 GB/s (32 bits) and 0.2 GB/s
 * (64 bits, as two halves), computed only when a client sends one.
 */

/** CRC-32C (Castagnoli), RFC 3720 appendix B.4. */
const CASTAGNOLI = 0x82f63b78;
/** CRC-64/NVME, NVM Express base specification, polynomial ad93d23594c93659 reflected. */
const NVME = 0x9a6c9329ac4bc9b5n;

const table32 = new Int32Array(256);
const tableHigh = new Int32Array(256);
const tableLow = new Int32Array(256);

for (let byte = 0; byte < 256; byte += 1) {
  let short = byte;
  let long = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) {
    short = short & 1 ? (short >>> 1) ^ CASTAGNOLI : short >>> 1;
    long = long & 1n ? (long >> 1n) ^ NVME : long >> 1n;
  }
  table32[byte] = short;
  tableHigh[byte] = Number(long >> 32n);
  tableLow[byte] = Number(long & 0xffffffffn);
}

export class Crc32c {
  #state = -1;

  update(data: Uint8Array): void {
    let state = this.#state;
    for (let i = 0; i < data.length; i += 1) state = (state >>> 8) ^ table32[(state ^ data[i]!) & 0xff]!;
    this.#state = state;
  }

  /** Four bytes, big-endian. */
  digest(): Buffer {
    const result = Buffer.alloc(4);
    result.writeInt32BE(~this.#state);
    return result;
  }
}

export class Crc64Nvme {
  #high = -1;
  #low = -1;

  update(data: Uint8Array): void {
    let high = this.#high;
    let low = this.#low;
    for (let i = 0; i < data.length; i += 1) {
      const index = (low ^ data[i]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ tableLow[index]!;
      high = (high >>> 8) ^ tableHigh[index]!;
    }
    this.#high = high;
    this.#low = low;
  }

  /** Eight bytes, big-endian. */
  digest(): Buffer {
    const result = Buffer.alloc(8);
    result.writeInt32BE(~this.#high, 0);
    result.writeInt32BE(~this.#low, 4);
    return result;
  }
}
