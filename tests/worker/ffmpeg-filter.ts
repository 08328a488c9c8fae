/** What one of FFmpeg's measuring filters says of a medium: the yardstick for our own measurements. */
import { Decoder, Demuxer, FilterAPI } from 'node-av/api';

/**
 * @param filters such as `silencedetect`
 * @returns the metadata that they have left on each frame, in order
 */
export async function ffmpegSays(
  path: string,
  type: 'audio' | 'video',
  filters: string,
): Promise<Record<string, string>[]> {
  const input = await Demuxer.open(path);
  const stream = type === 'audio' ? input.audio() : input.video();
  if (!stream) throw new Error(`${path} has no ${type}`);
  const decoder = await Decoder.create(stream);
  const filter = FilterAPI.create(filters);
  const said: Record<string, string>[] = [];
  try {
    for await (const frame of filter.frames(decoder.frames(input.packets(stream.index)))) {
      if (!frame) continue;
      said.push(frame.getMetadata().getAll());
      frame.free();
    }
  } finally {
    filter.close();
    decoder.close();
    await input.close();
  }
  return said;
}

/** The times in seconds that they gave under this name, in milliseconds. */
export function timesOf(said: Record<string, string>[], name: string): number[] {
  return said.flatMap((metadata) => (name in metadata ? Number(metadata[name]) * 1000 : []));
}
