import { expect, test } from 'vitest';
import { parseAddresses } from '../../functions/core/alerts/addresses.ts';
import { tellOfServer } from '../../infra/vps/tell/tell.ts';
import { receiveHttp } from '../alerts/receivers.ts';

const trouble = { part: 'database', isOver: false, text: 'database: it does not answer', at: new Date(0) };

test('every address hears of trouble with the server, and of its end', async () => {
  const receiver = await receiveHttp();
  const { addresses } = parseAddresses(`http://${receiver.host}/hook\nntfy+http://${receiver.host}/topic`);
  expect(await tellOfServer(trouble, addresses, () => 'secret')).toEqual([]);
  expect(await tellOfServer({ ...trouble, isOver: true }, addresses, () => 'secret')).toEqual([]);
  await receiver.close();

  const hooks = receiver.posts.filter(({ path }) => path === '/hook').map(({ body }) => JSON.parse(body));
  expect(hooks.map(({ type }) => type)).toEqual(['alert.raised', 'alert.resolved']);
  expect(hooks[0].data).toMatchObject({ key: 'server:database', text: trouble.text });
  const pushes = receiver.posts.filter(({ path }) => path === '/topic');
  expect(pushes.map(({ body }) => body)).toEqual([trouble.text, trouble.text]);
});

test('an address that does not take it does not keep the others from hearing, and is not given away', async () => {
  const receiver = await receiveHttp();
  const { addresses } = parseAddresses(`http://key@127.0.0.1:9/hidden\nntfy+http://${receiver.host}/topic`);
  const faults = await tellOfServer(trouble, addresses, () => 'secret');
  await receiver.close();
  expect(receiver.posts).toHaveLength(1);
  expect(faults).toHaveLength(1);
  expect(faults[0]).not.toMatch(/hidden|key@/);
});
