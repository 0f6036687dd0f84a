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
import { InvalidPolicy } from "../model/errors.js"
import { Handoff, type HandoffService, type Successor } from "../model/handoff.js"
import { notServing } from "../model/handoffFailed.js"
import type { Address, NodeServer, Options as ListenOptions } from "../model/listener.js"
import type { HandoffOptions, Options } from "../model/promise.js"
import type { ServerService } from "../model/server.js"
import { Program, type ProgramService } from "../signals/program.js"

/** What is passed on to `launch`, and where each Node server listens. */
export interface Wanted {
  readonly places: ReadonlyArray<ListenOptions>
  readonly options: Omit<HandoffOptions, "listen">
}

/** What a program without types may have passed is looked at before anything is touched; `launch` looks at the rest. */
export const handoffOptions = (handoff: Options["handoff"], targets: number): Wanted | undefined => {
  if (handoff === undefined) return undefined
  const expected = "an object that says where to listen: { listen: { port: 3000 } }"
  if (typeof handoff !== "object" || handoff === null) {
    throw new InvalidPolicy({ field: "handoff", value: handoff, expected })
  }
  const { listen, ...options } = handoff
  const places = (Array.isArray(listen) ? listen : [listen]) as ReadonlyArray<ListenOptions>
  if (places.length !== targets || places.some((place) => typeof place !== "object" || place === null)) {
    throw new InvalidPolicy({
      field: "handoff.listen",
      value: listen,
      expected: targets === 1
        ? "where the server listens, which is not made to listen before: { port: 3000 }"
        : `a list of ${targets} places, one for each server, in their order: [{ port: 3000 }, …]`
    })
  }
  return { places, options }
}

/** Listeners beside those of the traffic, which are handed over with them: they listen when these do. */
export interface Asides {
  readonly listen: (node: Net.Server, where: ListenOptions) => Promise<Net.AddressInfo>
  /** Listens with all that wait for it. */
  readonly all: Effect.Effect<void, never, Scope.Scope>
  readonly close: Effect.Effect<unknown>
}

/** `server` is not drained with the traffic. */
export const asidesOf = (server: ServerService): Asides => {
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
  /** Where each server listens. */
  readonly listening: Promise<ReadonlyArray<Address>>
  readonly upgrade: () => Promise<Successor>
  /** A successor accepts. */
  readonly hasHandedOver: () => boolean
}

interface Parts extends Wanted {
  readonly asides: Asides
  readonly nodeServers: ReadonlyArray<NodeServer>
  readonly program: ProgramService
  readonly runtime: Runtime.Runtime<never>
  /** That of the server. */
  readonly scope: Scope.Scope
  readonly server: ServerService
}

/** Listens, and hands over when a signal says so. A shutdown of the server ends it, and a hand-over begins one. */
export const start = (parts: Parts): HandingOver => {
  const { asides, nodeServers, options, places, program, runtime, scope, server } = parts
  const fork = (effect: Effect.Effect<unknown>) => void Runtime.runFork(runtime)(effect)
  let upgrade: HandoffService["upgrade"] = notServing
  let handedOver = false
  const whole = (resolve: (addresses: ReadonlyArray<Address>) => void) =>
    Layer.scopedDiscard(Effect.gen(function*() {
      upgrade = (yield* Handoff).upgrade
      yield* Effect.addFinalizer((exit) => {
        handedOver = Exit.isSuccess(exit)
        return Effect.ignore(server.shutdown)
      })
      const listeners = yield* Effect.forEach(nodeServers, (node, nth) => server.listen(() => node, places[nth] ?? {}))
        .pipe(Effect.tap(() => asides.all), Scope.extend(scope))
      resolve(listeners.map(({ address }) => address))
    })).pipe(launch(options, Handoff), Effect.provideService(Program, program), Effect.interruptible)
  const bound = new Promise<ReadonlyArray<Address>>((resolve, reject) => {
    const fiber = Runtime.runFork(runtime)(whole(resolve))
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) return
      reject(Cause.squash(exit.cause))
      fork(Effect.ignore(server.close))
    })
    // a successor that has not taken over yet is not wanted any more
    fork(Effect.zipRight(server.shuttingDown, Effect.sync(() => unsafeInterrupt(fiber))))
  })
  return {
    listening: bound,
    upgrade: () => plainly(Runtime.runPromise(runtime)(Effect.exit(Effect.suspend(() => upgrade)))),
    hasHandedOver: () => handedOver
  }
}

/** Rejects with what it has failed with, and not with Effect's wrapping of it. */
const plainly = async <A>(running: Promise<Exit.Exit<A, unknown>>): Promise<A> => {
  const exit = await running
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return exit.value
}
