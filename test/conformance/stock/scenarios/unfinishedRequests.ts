/**
 * Scenarios about connections that owe a request, or part of one.
 */
import { get } from "../../../support/httpRequests.js"
import { withClient } from "../../../support/rawClient.js"
import { untilRead } from "../../../support/untilRead.js"
import { pace } from "../../../support/wait.js"
import { type RunningApp, sawStatus, scenario } from "../scenario.js"

export const silentConnection = scenario({
  id: "silent-connection",
  title: "a connection that never sent a byte",
  clients: ({ ended, target }) =>
    withClient(target, async (client) => {
      await ended()
      return { ending: client.ending }
    }),
  saw: () => "",
  kept: () => true
})

export const halfHead = scenario({
  id: "half-head",
  title: "half a request head, the rest never comes",
  clients: ({ ended, target }) =>
    withClient(target, async (client) => {
      await client.write(get("/").slice(0, 20))
      await untilRead(client.socket)
      await ended()
      return { ending: client.ending }
    }),
  saw: () => "",
  kept: () => true
})

/** Sends `begun`, then SIGTERM, and `rest` 300 ms later; expects one answer. */
const finishedAfterSigterm = async (app: RunningApp, begun: string, rest: string) =>
  withClient(app.target, async (client) => {
    await client.write(begun)
    await untilRead(client.socket)
    await app.terminate()
    await pace(300)
    await client.write(rest)
    const answer = await app.response(client)
    return { status: answer?.status, continued: client.parsed().informational.length === 1 }
  })

const answered = ({ status }: { readonly status: number | undefined }) => status === 200

export const halfHeadFinished = scenario({
  id: "half-head-finished",
  title: "half a request head, the rest comes 300 ms after SIGTERM",
  clients: (app) => finishedAfterSigterm(app, get("/").slice(0, 20), get("/").slice(20)),
  saw: sawStatus,
  kept: answered
})

const order = "POST /orders HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n"

export const halfBodyFinished = scenario({
  id: "half-body-finished",
  title: "half a request body, the rest comes 300 ms after SIGTERM",
  clients: (app) => finishedAfterSigterm(app, `${order}\r\nhalf`, "body"),
  saw: sawStatus,
  kept: answered
})

export const expectContinue = scenario({
  id: "expect-continue",
  title: "`Expect: 100-continue`, the body comes 300 ms after SIGTERM",
  clients: (app) => finishedAfterSigterm(app, `${order}Expect: 100-continue\r\n\r\n`, "continue"),
  saw: sawStatus,
  kept: (result) => answered(result) && result.continued
})
