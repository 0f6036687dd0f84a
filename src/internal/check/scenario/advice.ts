/**
 * What a loss means behind a proxy, and how to mend it. A file of texts.
 */
import type { Advice } from "../model.js"

export const closedUnderRequest: Advice = {
  nginx:
    "it has the connection in its pool (keepalive). A GET is sent again to another server, if there is one; a POST is answered with 502.",
  haproxy:
    "it has the connection in its pool (http-reuse). It answers 502, unless retry-on says otherwise, and never repeats a POST by itself.",
  kubernetes:
    "an open connection is not moved when a pod leaves its service: the client, or the ingress, meets the reset. A preStop sleep does not change that.",
  remedy:
    "Close the listening socket only. Answer what comes on open connections with Connection: close, and close an idle one when it has been idle for a while (500 ms, or the Keep-Alive timeout that was announced)."
}

export const newConnections: Advice = {
  nginx: "it takes the connection for established: a GET goes to another server, a POST is answered with 502.",
  haproxy: "it takes the connection for established: it answers 502, and does not try another server by default.",
  kubernetes:
    "a pod is sent new connections for some seconds after its SIGTERM, since its endpoint is removed meanwhile: all of them are at stake.",
  remedy:
    "Before the listening socket closes, accept what waits in its queue, and serve it. Go on accepting for some seconds where a load balancer has to notice first (a lame duck, or a preStop sleep)."
}

export const cutRequest: Advice = {
  nginx: "it answers 502. It does not send a POST again, since it may have been executed.",
  haproxy: "it answers 502 (the log has SH or SD).",
  kubernetes:
    "the client gets the error. The whole of terminationGracePeriodSeconds would have been there for the answer.",
  remedy:
    "On SIGTERM stop accepting, and wait until each request that has begun is answered. Do not call process.exit, nor close all connections, before that."
}

export const cutResponse: Advice = {
  nginx: "it has sent the head on: the client gets a truncated body, which nothing can mend.",
  haproxy: "it has sent the head on: the client gets a truncated body (the log has SD).",
  kubernetes: "the client gets a truncated body, and with Connection: close and no length it may not even notice.",
  remedy:
    "A response has ended when its last byte was flushed to the socket, not when end() was called. Wait for that before the process ends or the connection is destroyed."
}

export const notTold: Advice = {
  nginx: "it puts the connection back into its pool, and sends the next request on it, which meets the close.",
  haproxy: "it puts the connection back into its pool, and sends the next request on it, which meets the close.",
  kubernetes: "clients stay on the pod that leaves until their connection breaks.",
  remedy: "After the signal, send Connection: close with each response (HTTP/2: GOAWAY)."
}

export const doesNotEnd: Advice = {
  nginx: "requests that are in flight when the server is killed are answered with 502.",
  haproxy: "requests that are in flight when the server is killed are answered with 502.",
  kubernetes:
    "SIGKILL comes at the end of terminationGracePeriodSeconds, to all that was still going on. Each deployment takes that long, for each pod.",
  remedy:
    "Give the shutdown a deadline below the time of the supervisor, and close what is still open then. Close connections that have sent nothing, or only half a request, earlier."
}

export const webSocket: Advice = {
  nginx: "it passes on what it gets: the client sees 1006, an abnormal end, and cannot tell a deployment from a crash.",
  haproxy: "it passes on what it gets: the client sees 1006.",
  kubernetes: "all clients of the pod see an abnormal end, and those that reconnect at once do so all together.",
  remedy: "Send a close frame with 1001 to each client, wait a little for its answer, and then close the socket."
}

export const http2: Advice = {
  nginx: "it speaks HTTP/1.1 to servers, or gRPC: a stream that is cut is answered with 502.",
  haproxy:
    "without GOAWAY it goes on to open streams on the connection (proto h2), and answers 502 for those that are cut.",
  kubernetes:
    "a gRPC client has one connection for all its calls: without GOAWAY it stays on it, and loses all of them at the end.",
  remedy: "Send GOAWAY, complete the streams below its number, refuse later ones with REFUSED_STREAM, and then close."
}

export const signalTwice: Advice = {
  nginx: "what is in flight is answered with 502.",
  haproxy: "what is in flight is answered with 502.",
  kubernetes:
    "an init process (tini -g, dumb-init) or npm may pass the signal on once more: the requests in flight are cut.",
  remedy:
    "Keep the handler of the signal until the process ends (process.on, not process.once), and take a second signal within half a second for the same one."
}

export const exitCode: Advice = {
  nginx: "nothing.",
  haproxy: "nothing.",
  kubernetes:
    "the container has ended with an error: a Job counts a failure, and alerts on exit codes fire. A process without a handler does not even die as the first of a container: it is killed at the end of the time.",
  remedy:
    "Handle SIGTERM, and let the process end by itself with exit code 0 when all is done. systemd has SuccessExitStatus for a code that is meant."
}

export const leftBehind: Advice = {
  nginx: "the old process goes on to answer, with the old code, as long as somebody has a connection to it.",
  haproxy: "the old process goes on to answer, with the old code.",
  kubernetes:
    "the container ends with its first process: what that has left running is killed in the middle of its requests.",
  remedy:
    "Start the server itself (node server.js, not npm start; exec in a shell script), or pass the signal on to the children and wait for them."
}

export const restart: Advice = {
  nginx: "it answers 502 until the new process has bound the address.",
  haproxy: "it takes the server for down until the new process has bound the address.",
  kubernetes: "nothing with a new pod; a container that restarts in its pod fails, and backs off.",
  remedy:
    "Bind with SO_REUSEADDR (Node does), remove the socket file at the end, and leave no child that holds the listening socket."
}
