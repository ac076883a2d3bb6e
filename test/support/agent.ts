import { once } from 'node:events';
import { type Agent, type IncomingMessage, request } from 'node:http';

/** GET over a connection of `agent`; resolves when the answer has been read to its end. */
export async function getThrough(agent: Agent, url: string, headers = {}): Promise<IncomingMessage> {
  const [answer] = (await once(request(url, { agent, headers }).end(), 'response')) as [IncomingMessage];
  await once(answer.resume(), 'end');
  return answer;
}
