import { WebSocketServer } from 'ws';

/** MQTT over WebSocket (MQTT 3.1.1 section 6): binary frames, subprotocol `mqtt`, any path. */
export function listenWebSocket(host: string, port: number, maxPayload: number): Promise<WebSocketServer> {
  return new Promise((resolve, reject) => {
    const server = new WebSocketServer({
      host,
      port,
      maxPayload,
      handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
    });
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

export function closeWebSocketServer(server: WebSocketServer): Promise<void> {
  for (const socket of server.clients) socket.terminate();
  return new Promise((resolve) => server.close(() => resolve()));
}
