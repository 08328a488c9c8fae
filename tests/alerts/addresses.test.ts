import { expect, it } from 'vitest';
import { parseAddresses } from '../../functions/core/alerts/addresses.ts';

const parse = (text: string) => parseAddresses(text).addresses.map(({ id, ...address }) => address);

it('reads the three kinds, and skips comments and empty lines', () => {
  const text = `
    # the phone
    ntfy+https://ntfy.sh/topic

    https://example.org/hook
    smtps://me%40example.org:p%40ss@mail.example.org/?to=a@example.org
    smtp://mail.example.org:2525/?from=aima@example.org&to=b@example.org`;
  expect(parseAddresses(text).faults).toEqual([]);
  expect(parse(text)).toEqual([
    { kind: 'ntfy', url: 'https://ntfy.sh/topic', authorization: null },
    { kind: 'webhook', url: 'https://example.org/hook', authorization: null },
    {
      ...{ kind: 'smtp', host: 'mail.example.org', port: 465, isSecure: true },
      ...{ login: { user: 'me@example.org', pass: 'p@ss' }, from: 'me@example.org', to: 'a@example.org' },
    },
    {
      ...{ kind: 'smtp', host: 'mail.example.org', port: 2525, isSecure: false, login: null },
      ...{ from: 'aima@example.org', to: 'b@example.org' },
    },
  ]);
});

it('names the line that is at fault and not what is in it, and uses the others', () => {
  const { addresses, faults } = parseAddresses(
    'https://ok.example.org/\nhidden\nftp://hidden@example.org\nsmtp://hidden@example.org\nntfy+smtp://hidden/?to=a&from=a@b',
  );
  expect(addresses).toHaveLength(1);
  expect(faults.map((fault) => fault.slice(0, 6))).toEqual(['line 2', 'line 3', 'line 4', 'line 5']);
  expect(faults.join()).not.toContain('hidden');
});

it('tells addresses apart by an id that gives none away', () => {
  const [a, b, again] = ['https://a.example.org/', 'https://b.example.org/', 'https://a.example.org/'].map(
    (address) => parseAddresses(address).addresses[0]!.id,
  );
  expect(a).toMatch(/^[0-9a-f]{16}$/);
  expect([a === again, a === b]).toEqual([true, false]);
});
