/**
 * Every scenario, in the order of the table in docs/guarantees.md.
 */
import type { Scenario } from "../scenario.js"
import * as Streams from "./longResponses.js"
import * as Load from "./manyClients.js"
import * as Services from "./services.js"
import * as Silence from "./unfinishedRequests.js"

export const scenarios: ReadonlyArray<Scenario<unknown>> = [
  Services.poolUnderRequest,
  Load.busyKeepAlive,
  Load.idleBurst,
  Load.connectionPerRequest,
  Services.nextRequest,
  Services.requestBeforeServe,
  Streams.slowReader,
  Load.pipelined,
  Silence.halfHeadFinished,
  Silence.halfBodyFinished,
  Silence.expectContinue,
  Services.keepAliveWait,
  Silence.silentConnection,
  Silence.halfHead,
  Streams.endlessStream,
  Streams.webSocket,
  Streams.webSocketIgnoresClose,
  Services.clientLeft
]
