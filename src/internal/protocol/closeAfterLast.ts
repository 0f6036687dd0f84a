/**
 * Which response of an HTTP/1.1 connection asks its client to leave: the last one. With pipelining, a client that reads
 * `Connection: close` drops what it has sent behind it.
 */
import type * as Http from "node:http"
import type { TrackedConnection } from "../core/connection.js"
import { setImmediate } from "../node/timers.js"
import { closeAfter } from "./connectionClose.js"
import { isEventStreamHead } from "./eventStream.js"
import { type Http1Exchange, wholeHeadOf } from "./http1Exchange.js"
import { isMidMessage } from "./http1Idle.js"

/** What is known of the other requests of the connection. */
interface InFlight {
  readonly exchanges: { readonly last: Http1Exchange | undefined }
  /** The request in flight that is answered with `response`. */
  find(response: Http.ServerResponse): Http1Exchange | undefined
  /** Its client may have sent what has not been read. */
  mayBeFollowed(exchange: Http1Exchange): boolean
}

/** Whether it is the last one is known when its head is written. */
export const closeAfterLast = (connection: TrackedConnection, inFlight: InFlight, exchange: Http1Exchange): void => {
  const { response } = exchange
  if (response === undefined || exchange.asksToLeave) return
  exchange.asksToLeave = true
  const { registry } = connection
  const closes = () => {
    if (!registry.lifecycle.asksToLeave || !isLast(connection, inFlight, response)) return false
    connection.startClosing()
    return true
  }
  // an event stream that begins when the turn of its connection is over: what comes with its head goes out first
  const onHead = () => {
    if (!connection.endsLongLived || !registry.endsEventStreams) return
    if (isEventStreamHead(wholeHeadOf(response))) {
      setImmediate(() => inFlight.find(response)?.endEventStream(registry.goingAway.lastLine))
    }
  }
  closeAfter(response, closes, onHead)
}

const isLast = (connection: TrackedConnection, inFlight: InFlight, response: Http.ServerResponse): boolean => {
  const { last } = inFlight.exchanges
  if (last?.response !== response || inFlight.mayBeFollowed(last)) return false
  return !last.request.complete || !isMidMessage(connection)
}
