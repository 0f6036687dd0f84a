/**
 * Many clients that write at known moments, whatever else the machine is doing.
 */
import type { RawClient } from "./rawClient.js"

/** One request from each client, spread over `ms`, without giving way to anything: a busy machine must not make it late. */
export const sendWithin = (
  clients: ReadonlyArray<RawClient>,
  ms: number,
  request: (index: number) => string
): void => {
  const from = performance.now()
  for (const [index, client] of clients.entries()) {
    while (performance.now() < from + (ms * index) / clients.length);
    void client.write(request(index))
  }
}
