/** Where alerts arrive: an HTTP server and a mail server that keep what they are given. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer, type Socket } from 'node:net';

export interface Post {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface HttpReceiver {
  /** Without http:// before it. */
  host: string;
  posts: Post[];
  /** What the next posts are answered; 200 where nothing is left. */
  answers: number[];
  close(): Promise<void>;
}

export async function receiveHttp(): Promise<HttpReceiver> {
  const posts: Post[] = [];
  const answers: number[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    posts.push({ path: request.url!, headers: request.headers, body: Buffer.concat(chunks).toString() });
    const status = answers.shift() ?? 200;
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts,
    answers,
    close: () => new Promise((done) => void server.close(() => done())),
  };
}

export interface Mail {
  from: string;
  to: string[];
  data: string;
}

export interface MailReceiver {
  host: string;
  mails: Mail[];
  /** Every command that came. */
  commands: string[];
  close(): Promise<void>;
}

/** As much of RFC 5321 as one sender needs; it offers no encryption and takes everything. */
export async function receiveMail(): Promise<MailReceiver> {
  const mails: Mail[] = [];
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.setEncoding('utf8');
    let [buffer, mail, inData] = ['', { from: '', to: [], data: '' } as Mail, false];
    const say = (line: string) => socket.write(`${line}\r\n`);
    const hear = (line: string) => {
      if (inData) {
        if (line !== '.') {
          mail.data += `${line.replace(/^\./, '')}\n`;
          return;
        }
        inData = false;
        mails.push(mail);
        mail = { from: '', to: [], data: '' };
        return say('250 kept');
      }
      commands.push(line);
      const address = /<(.*)>/.exec(line)?.[1] ?? '';
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'MAIL') mail.from = address;
      if (verb === 'RCPT') mail.to.push(address);
      if (verb === 'DATA') {
        inData = true;
        return say('354 go on');
      }
      if (verb === 'QUIT') return socket.end('221 bye\r\n');
      say(verb === 'STAR' ? '502 no encryption here' : '250 ok');
    };
    socket.on('data', (text) => {
      buffer += text;
      for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        hear(line);
      }
    });
    say('220 mail.example');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    mails,
    commands,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
