/**
 * Streams of HTTP/2 that are over for nghttp2, and that Node does not close:
 *
 * - One that its client has reset with NO_ERROR (as `close()` and `destroy()` of Node's own client do) while its answer was
 *   on its way, up to Node 24: Node waits for its own side to finish, and nothing more is taken for it.
 * - One of HEAD whose handler has written a body, when another stream of its session is reset in the same turn: that sends
 *   all there is at once, and the body is an error of this stream before Node waits for the end of its request.
 */
import * as Http2 from "node:http2"

const { NGHTTP2_STREAM_STATE_CLOSED, NGHTTP2_STREAM_STATE_IDLE } = Http2.constants

/** Whether it is one of those. It can be destroyed: nothing more comes of it, and nothing that is written goes anywhere. */
export const isOverUnseen = (stream: Http2.ServerHttp2Stream): boolean => {
  if (!stream.closed || stream.destroyed) return false
  // what a handler has still to read keeps it
  const isRead = stream.readableFlowing === true && stream.readableLength === 0 && !stream.readableEnded
  if (stream.writableFinished && !isRead) return false
  // it is idle for nghttp2 when it is not there
  const { state } = stream.state
  return state === NGHTTP2_STREAM_STATE_IDLE || state === NGHTTP2_STREAM_STATE_CLOSED
}
