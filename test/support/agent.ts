import { once } from 'node:events';
import { type Agent, type IncomingMessage, request } from 'node:http';

/** Sends a GET over a connection of `agent`. Resolves after the end of the answer. */
export async function getThrough(agent: Agent, url: string, headers = {}): Promise<IncomingMessage> {
  const [answer] = (await once(request(url, { agent, headers }).end(), 'response')) as [IncomingMessage];
  await once(answer.resume(), 'end');
  return answer;
}
