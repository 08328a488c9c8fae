/** Names of the files that a result is saved as. */

const longestCharacters = 120;

/**
 * The name of an export, from what a person called the medium: `Talk 1.mp4` gives `Talk 1.vtt`.
 * Nothing is left that means something to a file system or a header.
 */
export function exportName(mediumName: string, extension: string): string {
  const last = mediumName.normalize('NFC').toWellFormed().split(/[\\/]/).pop()!;
  const base = last
    .replace(/\.[^.]{1,8}$/, '')
    .replace(/[\p{Cc}\p{Cf}<>:"|?*%;]+/gu, '_')
    .replace(/^[.\s]+|[.\s]+$/g, '');
  return `${[...base].slice(0, longestCharacters).join('') || 'medium'}.${extension}`;
}

/** Content-Disposition (RFC 6266): the name in ASCII for old clients, and as it is (RFC 8187). */
export function attachment(fileName: string): string {
  const ascii = fileName.replace(/[^\w .()-]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
