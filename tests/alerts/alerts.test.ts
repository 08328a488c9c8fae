import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openAlerts, raise, resolve } from '../../functions/core/alerts/alerts.ts';
import { tellAlerts } from '../../functions/core/alerts/tell.ts';
import { loadConfig } from '../../functions/core/config.ts';
import type { Core } from '../../functions/core/core.ts';
import { signedHeaders } from '../../functions/core/webhooks/sign.ts';
import { type FreshDatabase, freshDatabase } from '../database/fresh.ts';
import { type HttpReceiver, type MailReceiver, receiveHttp, receiveMail } from './receivers.ts';

let database: FreshDatabase;
let web: HttpReceiver;
let mail: MailReceiver;
let folder: string;
beforeAll(async () => {
  [database, web, mail] = await Promise.all([freshDatabase(), receiveHttp(), receiveMail()]);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aima-alerts-'));
});
afterEach(async () => {
  for (const list of [web.posts, web.answers, mail.mails, mail.commands]) list.length = 0;
  await database.admin`truncate alerts`;
  await rm(folder, { recursive: true });
});
afterAll(() => Promise.all([database.close(), web.close(), mail.close()]));

const secret = 'webhook-secret-of-the-tests';

/** What tells alerts, with these addresses. */
async function teller(...addresses: string[]): Promise<() => Promise<number>> {
  await writeFile(join(folder, 'webhook-secret'), secret);
  if (addresses.length > 0) await writeFile(join(folder, 'alert-urls'), addresses.join('\n'));
  const config = loadConfig({ AIMA_SECRETS_DIR: folder });
  return () => tellAlerts({ sql: database.functions, config } as Core);
}

const later = () => database.functions`update alerts set next_try_at = now() where next_try_at is not null`;
const alert = { key: 'instance:i:not_gone', severity: 'critical', text: 'A machine does not go.' } as const;
const raiseIt = () => raise(database.functions, { ...alert, data: { provider: 'vast', minutes: 5 } });

describe('an alert', () => {
  it('is told once while it is open, told to be over, and told again when it comes back', async () => {
    const tell = await teller(`http://${web.host}/hook`);
    await raiseIt();
    await raiseIt();
    expect(await tell()).toBe(1);
    await raiseIt();
    await later();
    expect(await tell()).toBe(0);
    await resolve(database.functions, alert.key);
    expect(await openAlerts(database.functions)).toEqual([]);
    expect(await tell()).toBe(1);
    await resolve(database.functions, alert.key);
    await raiseIt();
    expect(await tell()).toBe(1);
    expect(web.posts.map(({ body }) => JSON.parse(body).type)).toEqual([
      'alert.raised',
      'alert.resolved',
      'alert.raised',
    ]);
    expect(new Set(web.posts.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
  });

  it('that is over before anybody was told is told to nobody', async () => {
    const tell = await teller(`http://${web.host}/hook`);
    await raiseIt();
    await resolve(database.functions, alert.key);
    expect(await tell()).toBe(0);
    expect(web.posts).toEqual([]);
  });

  it('is only shown where nobody is to be told, critical ones first, with the newest text', async () => {
    const tell = await teller();
    await raiseIt();
    await raise(database.functions, { key: 'budget:day', severity: 'warning', text: 'Nearly.' });
    await raise(database.functions, { ...alert, text: 'Still there.', data: {} });
    expect(await tell()).toBe(0);
    expect(await openAlerts(database.functions)).toMatchObject([
      { key: alert.key, severity: 'critical', text: 'Still there.', toldAt: null },
      { key: 'budget:day', severity: 'warning', text: 'Nearly.' },
    ]);
    const now = await teller(`http://${web.host}/hook`);
    expect(await now()).toBe(2);
  });

  it('is rolled back with what found it', async () => {
    await expect(
      database.functions.begin(async (tx) => {
        await raise(tx, alert);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await openAlerts(database.functions)).toEqual([]);
  });
});

describe('telling', () => {
  it('signs what it posts, as callbacks are signed', async () => {
    const tell = await teller(`http://user:pass%20word@${web.host}/hook?a=b`);
    await raiseIt();
    await tell();
    const { path, headers, body } = web.posts[0]!;
    expect(path).toBe('/hook?a=b');
    expect(headers.authorization).toBe(`Basic ${Buffer.from('user:pass word').toString('base64')}`);
    const sentAt = new Date(Number(headers['webhook-timestamp']) * 1000);
    const expected = signedHeaders(secret, String(headers['webhook-id']), sentAt, Buffer.from(body));
    expect(headers).toMatchObject(expected);
    expect(JSON.parse(body)).toMatchObject({
      type: 'alert.raised',
      data: { ...alert, data: { provider: 'vast', minutes: 5 }, resolvedAt: null },
    });
  });

  it('pushes to ntfy with a title and a priority', async () => {
    const tell = await teller(`ntfy+http://${web.host}/topic`);
    await raiseIt();
    await tell();
    await resolve(database.functions, alert.key);
    await tell();
    expect(
      web.posts.map(({ path, body, headers: { title, priority } }) => ({ path, body, title, priority })),
    ).toEqual([
      { path: '/topic', body: alert.text, title: 'AIMA: critical', priority: '5' },
      { path: '/topic', body: alert.text, title: 'AIMA: over', priority: '2' },
    ]);
  });

  it('sends mail to everybody who is named', async () => {
    const tell = await teller(`smtp://${mail.host}/?from=aima@example.org&to=a@example.org,b@example.org`);
    await raiseIt();
    expect(await tell()).toBe(1);
    expect(mail.mails).toMatchObject([{ from: 'aima@example.org', to: ['a@example.org', 'b@example.org'] }]);
    expect(mail.mails[0]!.data).toContain('Subject: AIMA: critical: A machine does not go.');
    expect(mail.mails[0]!.data).toContain('"provider": "vast"');
  });

  it('sends no password to a mail server that does not encrypt', async () => {
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    const tell = await teller(`smtp://me:hidden@${mail.host}/?from=aima@example.org&to=a@example.org`);
    await raiseIt();
    expect(await tell()).toBe(0);
    expect(mail.mails).toEqual([]);
    expect(mail.commands.filter((line) => /^auth/i.test(line))).toEqual([]);
    expect(errors.mock.calls.flat().join(' ')).not.toContain('hidden');
    errors.mockRestore();
  });

  it('tries again later where it failed, and tells only those who do not have it', async () => {
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    const tell = await teller(
      `http://${web.host}/fails`,
      `smtp://${mail.host}/?from=aima@example.org&to=a@example.org`,
    );
    await raiseIt();
    web.answers.push(500, 302);
    expect(await tell()).toBe(0);
    // Not due yet.
    expect(await tell()).toBe(0);
    expect(web.posts).toHaveLength(1);
    await later();
    expect(await tell()).toBe(0);
    await later();
    expect(await tell()).toBe(1);
    expect(web.posts.map(({ path }) => path)).toEqual(['/fails', '/fails', '/fails']);
    expect(new Set(web.posts.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(mail.mails).toHaveLength(1);
    expect((await openAlerts(database.functions))[0]!.toldAt).not.toBeNull();
    errors.mockRestore();
  });

  it('by two at the same moment happens once', async () => {
    const tell = await teller(`http://${web.host}/hook`);
    await raiseIt();
    const told = await Promise.all([tell(), tell(), tell()]);
    expect(told.toSorted()).toEqual([0, 0, 1]);
    expect(web.posts).toHaveLength(1);
  });
});
