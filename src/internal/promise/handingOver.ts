/**
 * Hand-over in a program without Effect: its Node servers listen with the sockets of a predecessor, and a successor gets
 * theirs. The same is what makes a process a worker of `launchWorkers`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Net from "node:net"
import { unsafeInterrupt } from "../effect/fibers.js"
import { launch } from "../handoff/handoff.js"
import * as Line from "../log/line.js"
import { ServerClosed } from "../model/errors.js"
import { Handoff, type HandoffService, type Successor } from "../model/handoff.js"
import { HandoffFailed, notServing } from "../model/handoffFailed.js"
import type { Address, Options as ListenOptions } from "../model/listener.js"
import type { PlainService } from "../model/server.js"
import { Program } from "../signals/program.js"
import type { RunningServer } from "./plainServer.js"
import type { Settings } from "./promiseOptions.js"

const none: HandingOver = {
  listening: undefined,
  upgrade: () =>
    Promise.reject(
      new HandoffFailed({
        reason: "NotServing",
        explanation:
          "The server has no `handoff`: pass quiesce where it listens, { handoff: { listen: { port: 3000 } } }"
      })
    )
}

/** Listeners beside those of the traffic, which are handed over with them: they listen when these do. */
export interface Asides {
  readonly listen: (node: Net.Server, where: ListenOptions) => Promise<Net.AddressInfo>
  /** Listens with all that wait for it. */
  readonly all: Effect.Effect<void, never, Scope.Scope>
  readonly close: Effect.Effect<unknown>
}

/** `server` is not drained with the traffic. */
export const asidesOf = (server: PlainService): Asides => {
  const waiting: Array<Effect.Effect<void, never, Scope.Scope>> = []
  return {
    listen: (node, where) =>
      new Promise((resolve, reject) => {
        waiting.push(
          Effect.match(server.listen(() => node, where), {
            onFailure: reject,
            onSuccess: ({ address }) =>
              resolve(
                "path" in address ? node.address() as Net.AddressInfo : {
                  address: address.hostname,
                  family: Net.isIPv6(address.hostname) ? "IPv6" : "IPv4",
                  port: address.port
                }
              )
          })
        )
      }),
    all: Effect.suspend(() => Effect.forEach(waiting, (listen) => listen, { discard: true })),
    close: Effect.ignore(server.close)
  }
}

export interface HandingOver {
  /** Where each server listens, where it is listened for here. */
  readonly listening: Promise<ReadonlyArray<Address>> | undefined
  readonly upgrade: () => Promise<Successor>
}

/**
 * Listens, and hands over when a signal says so. A shutdown of the server ends it, and a hand-over begins one:
 * `handedOver` is called before.
 */
export const start = (
  { begin, program, run, runtime, scope, server }: RunningServer,
  { handoff, targets: { nodeServers } }: Pick<Settings, "handoff" | "targets">,
  asides: Asides | undefined,
  handedOver: () => void
): HandingOver => {
  if (handoff === undefined || program === undefined || asides === undefined) return none
  const { options, places } = handoff
  let upgrade: HandoffService["upgrade"] = notServing
  let addresses: ReadonlyArray<Address> = []
  let isAccepting = false
  let accepts = () => {}
  const accepted = new Promise<void>((resolve) => {
    accepts = () => {
      isAccepting = true
      resolve()
    }
  })
  const fiber = Runtime.runFork(runtime)(
    Layer.scopedDiscard(Effect.gen(function*() {
      upgrade = (yield* Handoff).upgrade
      yield* Effect.addFinalizer((exit) => {
        if (Exit.isSuccess(exit)) handedOver()
        return Effect.ignore(server.shutdown)
      })
      const listeners = yield* Effect.forEach(nodeServers, (node, nth) => server.listen(() => node, places[nth] ?? {}))
        .pipe(Effect.tap(() => asides.all), Scope.extend(scope))
      addresses = listeners.map(({ address }) => address)
    })).pipe(
      launch(options, Handoff, () => accepts()),
      Effect.provideService(Program, program),
      Effect.interruptible
    )
  )
  // a successor that has not taken over yet is not wanted any more
  begin(Effect.zipRight(server.shuttingDown, Effect.sync(() => unsafeInterrupt(fiber))))
  const ended = new Promise<Exit.Exit<void, unknown>>((resolve) => fiber.addObserver(resolve)).then((exit) => {
    if (Exit.isSuccess(exit)) return
    begin(Effect.ignore(server.close))
    if (!isStopped(exit.cause)) {
      if (isAccepting) begin(failedLate(exit.cause))
      throw Cause.squash(exit.cause)
    }
    // whoever stops a server before it listens knows that it does not
    listening.catch(() => {})
    throw new ServerClosed({ operation: "listen" })
  })
  const listening = Promise.race([accepted, ended]).then(() => addresses)
  return {
    listening,
    upgrade: () => plainly(run(Effect.exit(Effect.suspend(() => upgrade))))
  }
}

/** By a shutdown: that is no failure. */
const isStopped = (cause: Cause.Cause<unknown>): boolean =>
  Cause.isInterruptedOnly(cause) || Cause.squash(cause) instanceof ServerClosed

/** Nobody awaits `listening` any more. */
const failedLate = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.zipRight(
    Effect.sync(() => {
      process.exitCode ||= 1
    }),
    Line.error("Handing over has failed, and the server is closed", {}, cause)
  )

/** Rejects with what it has failed with, and not with Effect's wrapping of it. */
const plainly = async <A>(running: Promise<Exit.Exit<A, unknown>>): Promise<A> => {
  const exit = await running
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return exit.value
}
