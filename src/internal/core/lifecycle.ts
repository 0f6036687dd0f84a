/**
 * Where a server is, from its start to its end, and which graces are in force. It is one value, which everything reads;
 * `advance` is the only way to the next one.
 */

/**
 * - `Serving`.
 * - `KeepAlivesOff`: it accepts and serves, and each answer asks its client to leave.
 * - `Stopping`: a shutdown has begun. It accepts and serves until its lame duck is over.
 * - `ClosingListeners`: its listening sockets are being closed. It serves.
 * - `Draining`: it no longer accepts. What is in flight is awaited.
 * - `Aborting`: the deadline has passed, or `close` was called. What arrives now is answered with 503.
 * - `Closed`: the report is there.
 */
export type LifecycleState =
  | "Serving"
  | "KeepAlivesOff"
  | "Stopping"
  | "ClosingListeners"
  | "Draining"
  | "Aborting"
  | "Closed"

/** How long connections with no exchange may stay, in milliseconds, and since when we are draining. */
export interface Grace {
  readonly newConnection: number
  readonly idle: number | "keepAliveTimeout"
  readonly since: number
}

export interface Lifecycle {
  readonly state: LifecycleState
  /** Each answer asks its client to leave. */
  readonly asksToLeave: boolean
  /** A shutdown has begun. */
  readonly isStopping: boolean
  /** A client that opens a connection now may be reset. */
  readonly isClosingListeners: boolean
  /** No handler sees what arrives now. */
  readonly isAborting: boolean
  /**
   * What never ends by itself is ended: the hooks have had their time for a last message. Peers of upgraded connections
   * are asked to leave, and event streams end.
   */
  readonly endsLongLived: boolean
  /** Connections with no exchange are closed after these. */
  readonly grace: Grace | undefined
}

/** What happens to it. */
export type Step =
  | { readonly to: "Serving"; readonly grace: Grace | undefined }
  | { readonly to: "KeepAlivesOff"; readonly grace: Grace | undefined }
  | { readonly to: "Stopping" }
  | { readonly to: "ClosingListeners" }
  | { readonly to: "Draining"; readonly grace: Grace }
  | { readonly to: "Aborting" }
  | { readonly to: "Closed" }
  /** The last messages have had their time; the graces of the drain hold, if none are in force. */
  | { readonly to: "EndLongLived"; readonly grace?: Grace | undefined }

export const serving: Lifecycle = {
  state: "Serving",
  asksToLeave: false,
  isStopping: false,
  isClosingListeners: false,
  isAborting: false,
  endsLongLived: false,
  grace: undefined
}

const order: ReadonlyArray<LifecycleState> = [
  "Serving",
  "KeepAlivesOff",
  "Stopping",
  "ClosingListeners",
  "Draining",
  "Aborting",
  "Closed"
]

export const advance = (lifecycle: Lifecycle, step: Step): Lifecycle => {
  switch (step.to) {
    case "EndLongLived":
      return { ...lifecycle, endsLongLived: true, grace: lifecycle.grace ?? step.grace }
    // keep-alives are switched off and on
    case "Serving":
    case "KeepAlivesOff":
      return lifecycle.isStopping
        ? lifecycle
        : { ...lifecycle, state: step.to, asksToLeave: step.to === "KeepAlivesOff", grace: step.grace }
    case "Stopping":
    case "ClosingListeners":
    case "Draining":
    case "Aborting":
    case "Closed": {
      // a shutdown only goes on
      if (order.indexOf(step.to) <= order.indexOf(lifecycle.state)) return lifecycle
      return {
        ...lifecycle,
        state: step.to,
        asksToLeave: true,
        isStopping: true,
        isClosingListeners: step.to === "ClosingListeners",
        isAborting: lifecycle.isAborting || step.to === "Aborting",
        grace: step.to === "Draining"
          ? step.grace
          : step.to === "Aborting" || step.to === "Closed"
          ? lifecycle.grace
          : undefined
      }
    }
  }
}
