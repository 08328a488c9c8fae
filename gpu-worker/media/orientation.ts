/**
 * How a film's pictures are turned upright.
 *
 * Phones store the picture as the sensor saw it and a display matrix beside it: nine 32-bit
 * numbers, of which the first two of each row turn and mirror. Cases and filters are those
 * of ffmpeg's own `-autorotate` (fftools/ffmpeg_filter.c, configure_input_video_filter).
 */

export interface Orientation {
  /** Clockwise turn that makes the picture upright: 0, 90, 180 or 270 degrees. */
  rotation: number;
  /** FFmpeg filters that do it. */
  filters: string[];
}

/** From the display matrix of a stream, or null where it has none. */
export function orientationOf(displayMatrix: Uint8Array | null): Orientation {
  if (!displayMatrix || displayMatrix.length < 36) return { rotation: 0, filters: [] };
  const view = new DataView(displayMatrix.buffer, displayMatrix.byteOffset, displayMatrix.byteLength);
  const m = (index: number) => view.getInt32(index * 4, true);
  const degrees = (Math.atan2(m(1), m(0)) * 180) / Math.PI;
  // Cameras turn by quarters; anything between comes from editors and is shown unturned at most by 45.
  const rotation = (Math.round(degrees / 90) * 90 + 360) % 360;
  switch (rotation) {
    case 90:
      return { rotation, filters: [m(3) > 0 ? 'transpose=cclock_flip' : 'transpose=clock'] };
    case 180:
      return { rotation, filters: [...(m(0) < 0 ? ['hflip'] : []), ...(m(4) < 0 ? ['vflip'] : [])] };
    case 270:
      return { rotation, filters: [m(3) < 0 ? 'transpose=clock_flip' : 'transpose=cclock'] };
    default:
      return { rotation, filters: m(4) < 0 ? ['vflip'] : [] };
  }
}
