import { Duplex, Transform } from 'node:stream';

/**
 * Wraps a connection so that it breaks as soon as a packet announces more than `maxBytes`: neither aedes nor
 * its parser has a limit, and MQTT lets a stranger announce 256 MiB that would be collected in memory before
 * the login is even looked at. Follows the packet frames (MQTT 3.1.1 section 2.2: one byte of type, then one
 * to four bytes of remaining length, seven bits each, lowest first) and passes the bytes on unchanged.
 */
export function limitPacketSize(connection: Duplex, maxBytes: number): Duplex {
  let bodyBytesLeft = 0;
  let lengthBytesRead = -1; // -1: the next byte is a packet type
  const inspect = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let offset = 0;
      while (offset < chunk.length) {
        if (bodyBytesLeft > 0) {
          const skipped = Math.min(bodyBytesLeft, chunk.length - offset);
          bodyBytesLeft -= skipped;
          offset += skipped;
          continue;
        }
        const byte = chunk[offset++]!;
        if (lengthBytesRead === -1) {
          lengthBytesRead = 0;
          announcedBytes = 0;
          continue;
        }
        announcedBytes += (byte & 0x7f) * 128 ** lengthBytesRead++;
        if (announcedBytes > maxBytes || lengthBytesRead > 4) {
          return done(new Error(`packet larger than ${maxBytes} bytes`));
        }
        if ((byte & 0x80) === 0) {
          bodyBytesLeft = announcedBytes;
          lengthBytesRead = -1;
        }
      }
      done(null, chunk);
    },
  });
  let announcedBytes = 0;
  const limited = Duplex.from({ readable: connection.pipe(inspect), writable: connection });
  // A pipe does not hand on errors and closes; without these a broken half would leave the other open.
  inspect.on('error', (error) => limited.destroy(error));
  connection.on('error', (error) => limited.destroy(error));
  connection.on('close', () => limited.destroy());
  limited.on('close', () => connection.destroy());
  return limited;
}
