/** One message to one address. Each resolves when it was taken, and throws when it was not. */
import { createTransport } from 'nodemailer';
import { signedHeaders } from '../webhooks/sign.ts';
import type { Address, HttpAddress, MailAddress } from './addresses.ts';
import type { Severity } from './alerts.ts';

const timeoutMs = 10_000;

export interface Message {
  /** The same at every try: receivers know repetitions by it. */
  id: string;
  isOver: boolean;
  severity: Severity;
  text: string;
  at: Date;
  /** What programs are told: the alert as it is shown. */
  data: Record<string, unknown>;
}

export async function send(address: Address, message: Message, webhookSecret: () => string): Promise<void> {
  if (address.kind === 'smtp') await mail(address, message);
  else if (address.kind === 'ntfy') await post(address, ...push(message));
  else await post(address, ...webhook(message, webhookSecret()));
}

type Post = [body: Buffer, headers: Record<string, string>];

function webhook({ id, isOver, at, data }: Message, secret: string): Post {
  const type = isOver ? 'alert.resolved' : 'alert.raised';
  const body = Buffer.from(JSON.stringify({ type, timestamp: at.toISOString(), data }));
  return [body, { 'content-type': 'application/json', ...signedHeaders(secret, id, new Date(), body) }];
}

/** https://docs.ntfy.sh/publish/: the priority is 1 to 5, and 5 sounds even where the phone is quiet. */
function push(message: Message): Post {
  const priority = message.isOver ? 2 : message.severity === 'critical' ? 5 : 4;
  return [Buffer.from(message.text), { title: title(message), priority: String(priority) }];
}

async function post({ url, authorization }: HttpAddress, body: Buffer, headers: Post[1]): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { ...headers, ...(authorization ? { authorization } : {}) },
    body: new Uint8Array(body),
    // Where the owner pointed, and nowhere else.
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`It answered ${answer.status}.`);
}

async function mail(address: MailAddress, message: Message): Promise<void> {
  const transport = createTransport({
    host: address.host,
    port: address.port,
    secure: address.isSecure,
    // A password only goes out encrypted.
    requireTLS: address.login !== null && !address.isSecure,
    ...(address.login ? { auth: address.login } : {}),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  });
  try {
    await transport.sendMail({
      from: address.from,
      to: address.to,
      subject: `${title(message)}: ${message.text.slice(0, 100)}`,
      text: `${message.text}\n\n${JSON.stringify(message.data, null, 2)}\n`,
      messageId: `<${message.id}@aima>`,
    });
  } finally {
    transport.close();
  }
}

function title({ isOver, severity }: Message): string {
  return isOver ? 'AIMA: over' : `AIMA: ${severity}`;
}
