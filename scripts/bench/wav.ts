/** A tenth of a second of silence as a WAV file (RIFF, PCM, 16 kHz, mono, 16 bits). */
const samples = 1600;

function header(): Buffer {
  const bytes = Buffer.alloc(44);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + samples * 2, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(16_000, 24);
  bytes.writeUInt32LE(32_000, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples * 2, 40);
  return bytes;
}

export const wav: Uint8Array<ArrayBuffer> = Uint8Array.from(
  Buffer.concat([header(), Buffer.alloc(samples * 2)]),
);
