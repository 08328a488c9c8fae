import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attachment, exportName } from '../../functions/core/results/file-name.ts';

describe('the name of an export', () => {
  it.each([
    ['Talk 1.mp4', 'Talk 1.vtt'],
    ['archive.tar.gz', 'archive.tar.vtt'],
    ['no extension', 'no extension.vtt'],
    ['Vortrag über Äpfel.wav', 'Vortrag über Äpfel.vtt'],
    ['../../etc/passwd', 'passwd.vtt'],
    ['C:\\films\\a.mp4', 'a.vtt'],
    ['.mp4', 'medium.vtt'],
    ['..', 'medium.vtt'],
    ['a\r\nSet-Cookie: x.mp4', 'a_Set-Cookie_ x.vtt'],
    ['\u202Egpj.exe', '_gpj.vtt'],
  ])('%j becomes %j', (name, expected) => {
    expect(exportName(name, 'vtt')).toBe(expected);
  });

  it('is safe in a header and a file system, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const made = exportName(name, 'csv');
        expect(made).toMatch(/^[^./\\\p{Cc}][^/\\\p{Cc}]*\.csv$/u);
        expect(attachment(made)).toMatch(/^attachment; filename="[\w .()-]+"; filename\*=UTF-8''[\w.!~%-]+$/);
        expect(decodeURIComponent(attachment(made).split("UTF-8''")[1]!)).toBe(made);
      }),
    );
  });

  it('is not too long for a file system', () => {
    expect(Buffer.byteLength(exportName('ä'.repeat(1000), 'vtt'))).toBeLessThan(255);
  });
});
