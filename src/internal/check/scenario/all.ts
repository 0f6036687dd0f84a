/**
 * Every scenario, in the order in which they are told of.
 */
import * as Http2 from "./http2.js"
import * as KeptConnections from "./keptConnections.js"
import * as NewConnections from "./newConnections.js"
import * as Process from "./process.js"
import * as Requests from "./requests.js"
import * as Responses from "./responses.js"
import type { Scenario } from "./scenario.js"
import * as Stubborn from "./stubborn.js"
import * as WebSockets from "./webSockets.js"

export const scenarios: ReadonlyArray<Scenario> = [
  KeptConnections.idleAtOnce,
  KeptConnections.idleLater,
  KeptConnections.busy,
  KeptConnections.nextRequest,
  KeptConnections.saysClose,
  NewConnections.firstRequest,
  NewConnections.connectionPerRequest,
  NewConnections.queue,
  NewConnections.tlsHandshake,
  Requests.halfAHead,
  Requests.halfABody,
  Requests.expect100,
  Requests.pipelined,
  Requests.slow,
  Responses.big,
  Stubborn.ends,
  Stubborn.silent,
  Stubborn.neverReads,
  Stubborn.unfinishedHead,
  Stubborn.unfinishedBody,
  Responses.stream,
  WebSockets.webSocket,
  WebSockets.webSocketIgnores,
  Http2.goAway,
  Http2.streamInFlight,
  Http2.streamsCross,
  Process.signalTwice,
  Process.exitCode,
  Process.leftBehind,
  Process.socketFile,
  Process.restart
]
