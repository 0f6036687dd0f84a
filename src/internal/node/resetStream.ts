/**
 * Up to Node 24 nobody hears of it that a client has reset a stream with NO_ERROR (as `close()` and
 * `destroy()` of Node's own client do) while its answer was on its way. Node waits for its own side to finish, and
 * nghttp2, which no longer has the stream, takes nothing more for it.
 */
import * as Http2 from "node:http2"

const { NGHTTP2_STREAM_STATE_CLOSED, NGHTTP2_STREAM_STATE_IDLE } = Http2.constants

/** Whether nothing that is written to a stream goes anywhere, although Node has not closed it. */
export const isResetUnseen = (stream: Http2.ServerHttp2Stream): boolean => {
  if (!stream.closed || stream.destroyed || stream.writableFinished) return false
  // it is idle for nghttp2 when it is not there
  const { state } = stream.state
  return state === NGHTTP2_STREAM_STATE_IDLE || state === NGHTTP2_STREAM_STATE_CLOSED
}
