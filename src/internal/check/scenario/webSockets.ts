/**
 * WebSockets that are open when the signal comes.
 */
import type { Client } from "../client/client.js"
import { webSocketHandshake } from "../client/requests.js"
import { closeCodeOf, closeFrame } from "../client/webSocket.js"
import { describeEnd, type Stage } from "../run/stage.js"
import { pause } from "../wait.js"
import * as Advices from "./advice.js"
import { arrivalMillis } from "./inFlight.js"
import * as Rules from "./rules.js"
import { kept, lost, needsPath, scenario } from "./scenario.js"

const needsWebSockets = needsPath("ws", "a path that takes WebSockets")

const upgraded = async (stage: Stage): Promise<Client> => {
  const client = await stage.connect("client", { keepHalfOpen: true })
  client.write(webSocketHandshake(stage.settings.ws ?? "/"))
  await client.answers(1, 5000)
  await pause(arrivalMillis)
  return client
}

const codeAt = (client: Client) => closeCodeOf(client.reader.upgraded ?? Buffer.alloc(0))

/** Going away, and service restart, which IANA has registered since. */
const goodCodes = [1001, 1012]

const describeCode = (code: number | undefined): string =>
  code === undefined ? "no close frame" : code === 1005 ? "a close frame without a code" : `a close frame with ${code}`

export const webSocket = scenario({
  name: "websocket",
  sentence: "a WebSocket gets a close frame with 1001, and answers it",
  rule: Rules.goingAway,
  advice: Advices.webSocket,
  patient: true,
  unasked: needsWebSockets,
  clients: async (stage) => {
    const client = await upgraded(stage)
    stage.signal()
    await client.changes.until(() => codeAt(client) !== undefined || !client.isOpen, stage.remaining())
    const code = codeAt(client)
    if (code !== undefined) client.write(closeFrame(code))
    await client.over(stage.remaining())
    return { code, ending: client.ending }
  },
  judge: ({ code, ending }) => {
    const saw = `${describeCode(code)}, then ${ending === "fin" ? "closed" : ending === "open" ? "left open" : ending}`
    return code !== undefined && goodCodes.includes(code) && ending === "fin" ? kept(saw) : lost(saw)
  }
})

export const webSocketIgnores = scenario({
  name: "websocket-ignores",
  sentence: "a WebSocket whose client does not answer the close frame: the server ends in time",
  rule: Rules.killTimeout,
  advice: Advices.doesNotEnd,
  patient: true,
  unasked: needsWebSockets,
  clients: async (stage) => {
    await upgraded(stage)
    stage.signal()
    return stage.end()
  },
  judge: (end) => end.stillRunning ? lost(describeEnd(end)) : kept(describeEnd(end))
})
