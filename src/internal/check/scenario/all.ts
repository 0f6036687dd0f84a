/**
 * Every scenario, in the order in which they are told of.
 */
import * as KeptConnections from "./keptConnections.js"
import * as NewConnections from "./newConnections.js"
import * as Process from "./process.js"
import * as Requests from "./requests.js"
import type { Scenario } from "./scenario.js"
import * as Stubborn from "./stubborn.js"

export const scenarios: ReadonlyArray<Scenario> = [
  KeptConnections.idleAtOnce,
  KeptConnections.idleLater,
  KeptConnections.busy,
  KeptConnections.nextRequest,
  KeptConnections.saysClose,
  NewConnections.firstRequest,
  NewConnections.connectionPerRequest,
  NewConnections.queue,
  Requests.halfAHead,
  Requests.halfABody,
  Requests.expect100,
  Requests.pipelined,
  Requests.slow,
  Stubborn.ends,
  Stubborn.silent,
  Stubborn.neverReads,
  Stubborn.unfinishedHead,
  Stubborn.unfinishedBody,
  Process.signalTwice,
  Process.exitCode,
  Process.leftBehind,
  Process.socketFile
]
