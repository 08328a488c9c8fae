/** Why a medium cannot be analysed; the code is for programs, the message a sentence for people. */
export type MediaErrorCode =
  /** Nothing that we know how to read. */
  | 'unsupported_media'
  /** Known, but damaged or incomplete. */
  | 'broken_media'
  /** More pixels, bytes or time than the limits in `limits.ts`. */
  | 'media_too_large'
  /** Its address did not answer, for long. */
  | 'media_unreachable'
  /** Another file lies at its address than when we began to read. */
  | 'media_changed';

export class MediaError extends Error {
  readonly code: MediaErrorCode;

  constructor(code: MediaErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'MediaError';
    this.code = code;
  }
}
