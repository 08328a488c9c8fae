/**
 * Where S3 servers of other people do not do what our checks (tests/s3) ask for, by the check's whole name,
 * and what that means for us. An entry that no longer holds is reported by the test.
 */
export type Deviations = Readonly<Record<string, string>>;

const anyDelimiter = 'listings are the same in pages of any size: {"Delimiter":"t"}';
const alike = 'writing and reading keeps keys apart that look alike';
const behindTheFile = 'forms that are refused nothing behind the file';
const acceptedChunks =
  'chunked bodies are accepted signed, signed with a trailer, and with an unsigned trailer';

/** MinIO's last published source (2026-02); its successors may have mended some of it. */
export const minio: Deviations = {
  [anyDelimiter]: 'Pages by a delimiter other than "/" never end; nothing here lists by another.',
  'multipart uploads gives completions at the same time, and a repeated one, the same answer':
    'A repeated completion is told NoSuchUpload; submit-job then looks for the object itself (submit/upload.ts).',
  'writing and reading serves the key "a//b"':
    'Refuses an empty part of a key; uploadKey() makes none, and a client of the inbox is told.',
  'a known access key without its secret opens nothing, however the request is made up':
    'CVE-2026-40344 and CVE-2026-41145: not to be reached but through infra/proxy/s3-bypass.caddy.',
  'presigned addresses does not reach another object for its holder':
    'Copies and unpacks by headers that were not signed: the same proxy rules refuse it.',
};

export const seaweedfs: Deviations = {
  [anyDelimiter]: 'Pages by a delimiter other than "/" never end; nothing here lists by another.',
  [alike]: 'A key cannot be an object and a folder of others, as in a file system; ours never are.',
  [behindTheFile]:
    'Reads fields behind the file: who holds a form can send their own browser elsewhere, and nothing more.',
  'signed headers refuses a signature made for another region': 'Takes any region that the secret signed.',
  'signed headers refuses a body that is not the one whose hash was signed':
    'Refuses it with 500 instead of 400; it is not stored.',
  [acceptedChunks]: 'Keeps aws-chunked as the content encoding; workers read bytes, not encodings.',
  'chunked bodies are refused when a signed chunk was changed':
    'Refuses it with 500 instead of 403; it is not stored.',
  'chunked bodies are refused when the trailer signature or the length is wrong':
    'Does not check the signature of a trailer; the chunks before it are checked.',
};

export const versitygw: Deviations = {
  'listings encode keys on demand':
    'Never encodes keys in a listing: minio-js misreads those with + or %, which the sweep then does not find.',
  'multipart uploads refuses wrong completions and leaves the upload as it was':
    'Says EntityTooSmall before it looks at the order; refused all the same.',
  [alike]: 'A key cannot be an object and a folder of others, as in a file system; ours never are.',
  'writing and reading never leaves its folder, whatever the key':
    'Takes the key ./x for x; it stays inside.',
  'writing and reading takes keys of 1024 bytes and no longer ones': 'Takes longer keys.',
  'uploads by form take any key below a prefix, and the file name into it':
    // biome-ignore lint/suspicious/noTemplateCurlyInString: S3's own placeholder
    'Does not fill in ${filename}; forms for workers name whole keys.',
  'forms that are refused a wrong secret, an unknown key, a changed policy, none at all':
    'Says 404 instead of 403 of an access key that it does not know.',
  [behindTheFile]: 'Refuses the form; browsers put the file last.',
  'forms that are refused a body that is no form': 'Says 500 instead of 400.',
  'conditions saves a transfer':
    'Ignores If-None-Match of another ETag together with nothing else: 200, never wrong bytes.',
  'signed headers refuses a wrong secret and an unknown key':
    'Says 404 instead of 403 of an access key that it does not know.',
  'signed headers refuses a request changed after signing': 'Says 400 instead of 403 of one of them.',
  'presigned addresses cannot be bent to another key, method or time':
    'Says 404 instead of 403 of an access key that it does not know.',
  [acceptedChunks]: 'Keeps aws-chunked as the content encoding; workers read bytes, not encodings.',
};
