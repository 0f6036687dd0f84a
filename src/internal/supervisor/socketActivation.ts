/**
 * The sockets that systemd holds for a service, and passes to it when it starts.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { notifyName, passed } from "./sdNotify.js"

/**
 * A socket that systemd has passed to this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Socket {
  readonly fd: number
  /** Its `FileDescriptorName=`, or the name of its unit, such as `app.socket`. */
  readonly name: string
}

/**
 * There is no such socket to listen on. The message says why, and what to do.
 *
 * - `Absent`: nothing was passed: no `LISTEN_FDS` and `LISTEN_PID`
 * - `OtherProcess`: what was passed is for another process: a wrapper's, such as npm or a shell
 * - `NotFound`: none has that name
 * - `Malformed`: a variable has a value that it cannot have
 *
 * @since 0.1.0
 * @category errors
 */
export class NotActivated extends Data.TaggedError("NotActivated")<{
  readonly reason: "Absent" | "OtherProcess" | "NotFound" | "Malformed"
  readonly problem: string
}> {
  override get message(): string {
    return `No socket was passed to this process: ${this.problem}`
  }
}

/**
 * All the sockets that were passed to this process, in the order of the socket units, as `sd_listen_fds_with_names(3)`
 * has them. Fails with {@link NotActivated} where there is none.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Server, Systemd } from "quiesce"
 * import { createServer } from "node:http"
 *
 * // a plain server that listens on each of them
 * const listen = Effect.gen(function*() {
 *   const server = yield* Server.Server
 *   for (const { fd } of yield* Systemd.sockets) {
 *     yield* server.listen(() => createServer((_, response) => response.end("hello")), { fd })
 *   }
 * })
 *
 * const Listening = Layer.scopedDiscard(listen)
 * ```
 *
 * @since 0.1.0
 * @category sockets
 */
export const sockets: Effect.Effect<ReadonlyArray<Socket>, NotActivated> = Effect.suspend(() => {
  const found = passed(process.env, process.pid)
  const fail = (reason: NotActivated["reason"], problem: string) => new NotActivated({ reason, problem })
  switch (found._tag) {
    case "Nothing":
      return fail(
        "Absent",
        "LISTEN_FDS and LISTEN_PID are not set. Start the socket unit, and let the service require it."
      )
    case "ToAnother":
      return fail(
        "OtherProcess",
        `LISTEN_PID is ${found.pid}, and this is ${process.pid}. Start node itself, not through npm or a shell.`
      )
    case "Malformed":
      return fail("Malformed", `${found.name} is ${JSON.stringify(found.value)}, and must be a number.`)
    case "Passed": {
      const listening = found.descriptors.filter(({ name }) => name !== notifyName)
      return listening.length > 0
        ? Effect.succeed(listening)
        : fail("Absent", "LISTEN_FDS counts none. Start the socket unit, and let the service require it.")
    }
  }
})

/**
 * Where to listen, for `Server.listen` and the layers: the socket of that name, or the first one. It stays open in
 * systemd when the server closes it here: clients that come during a restart wait in its queue for the successor, and
 * none is refused. Fails with {@link NotActivated}, for which another listener may stand in.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer, Systemd } from "quiesce"
 * import { createServer } from "node:http"
 *
 * // under systemd its socket, elsewhere a port
 * const ServerLive = Systemd.socket("http").pipe(
 *   Effect.catchTag("NotActivated", () => Effect.succeed({ port: 3000 })),
 *   Effect.map((where) => NodeHttpServer.layer(() => createServer(), where)),
 *   Layer.unwrapEffect
 * )
 * ```
 *
 * @since 0.1.0
 * @category sockets
 */
export const socket = (name?: string): Effect.Effect<{ readonly fd: number }, NotActivated> =>
  Effect.flatMap(sockets, (sockets) => {
    const found = name === undefined ? sockets[0] : sockets.find((socket) => socket.name === name)
    if (found !== undefined) return Effect.succeed({ fd: found.fd })
    const names = sockets.map((socket) => JSON.stringify(socket.name)).join(", ")
    return new NotActivated({
      reason: "NotFound",
      problem: `none is named ${JSON.stringify(name)}, but ${names}. Names come from FileDescriptorName= of the unit.`
    })
  })
