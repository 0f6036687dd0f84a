/**
 * Where the rules of the scenarios are written.
 */
import type { Rule } from "../model.js"

const rfc = (number: number, section: string, what: string): Rule => ({
  text: `RFC ${number} §${section}: ${what}`,
  url: `https://www.rfc-editor.org/rfc/rfc${number}#section-${section}`
})

export const tearDown = rfc(
  9112,
  "9.6",
  "a server that will close says so in its last response, and answers until then"
)

export const pipelining = rfc(
  9112,
  "9.3.2",
  "pipelined requests are answered in order; those behind a response with close may be sent again"
)

export const reusedConnection: Rule = {
  text:
    "nodejs/node#47130: a client sends on a kept connection as the server closes it, and cannot know what became of it",
  url: "https://github.com/nodejs/node/issues/47130"
}

export const incomplete = rfc(9112, "8", "a response that ends before its length is incomplete")

export const expectation = rfc(9110, "10.1.1", "who has sent 100 Continue reads the body and sends a final response")

export const goAway = rfc(
  9113,
  "6.8",
  "a server that will close sends GOAWAY, and streams up to its number are completed"
)

export const streamsUnprocessed = rfc(
  9113,
  "8.7",
  "a stream that was refused, or is above the number of GOAWAY, was not processed and may be sent again"
)

export const goingAway = rfc(6455, "7.4.1", "1001 says that an endpoint goes away, such as a server that shuts down")

export const goShutdown: Rule = {
  text: "Go, Server.Shutdown: it closes the listeners, then idle connections, and waits for the others",
  url: "https://pkg.go.dev/net/http#Server.Shutdown"
}

export const goNewConnections: Rule = {
  text: "Go, Server.Shutdown: a connection that has sent nothing counts as idle after 5 seconds",
  url: "https://github.com/golang/go/issues/22682"
}

export const killTimeout: Rule = {
  text: "Kubernetes and Docker send SIGKILL when the time for the end is over",
  url: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"
}

export const acceptQueue: Rule = {
  text: "Linux resets the connections in the queue of a listening socket that is closed",
  url: "https://man7.org/linux/man-pages/man2/listen.2.html"
}

export const exitStatus: Rule = {
  text: "systemd and Kubernetes take another exit code than 0 for a failure",
  url: "https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#SuccessExitStatus="
}

export const signalsForwarded: Rule = {
  text: "a terminal signals a whole process group, and what has started the server passes the signal on once more",
  url: "https://man7.org/linux/man-pages/man7/signal.7.html"
}

export const controlGroup: Rule = {
  text: "systemd ends what is left of a service; who started a server by hand has it running still",
  url: "https://www.freedesktop.org/software/systemd/man/latest/systemd.kill.html"
}

export const reuseAddress: Rule = {
  text: "an address with connections in TIME_WAIT can be bound with SO_REUSEADDR; a socket file has to be removed",
  url: "https://man7.org/linux/man-pages/man7/socket.7.html"
}
