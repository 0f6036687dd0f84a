/**
 * The standard output and error of the process, which is where most logs go. Their reader may have gone (EPIPE), a
 * terminal have hung up (EIO), a disk be full (ENOSPC): then Node emits `error` on the stream, and ends the process if
 * nobody listens for that. So we listen, while a shutdown lasts, where nobody else does.
 */
import { isErrorListenerOfNode } from "../node/internals.js"
import { setImmediate } from "../node/timers.js"
import { countLogError } from "./logErrors.js"

type Stream = NodeJS.WriteStream

interface Output {
  readonly name: "stdout" | "stderr"
  readonly stream: Stream
  readonly onError: (error: NodeJS.ErrnoException) => void
  /** Its reader does not come back. */
  failed: boolean
}

const known = new Map<Stream, Output>()

let holds = 0

const makeOutput = (name: Output["name"], stream: Stream): Output => {
  const output: Output = {
    name,
    stream,
    failed: false,
    onError: (error) => {
      countLogError()
      if (output.failed) return
      output.failed = true
      writeElsewhere(
        `The standard ${name === "stdout" ? "output" : "error"} cannot be written to any more (${reason(error)}): `
          + `the shutdown goes on, and what is logged there is lost, except what this server can say here`
      )
    }
  }
  return output
}

const reason = ({ code, message }: NodeJS.ErrnoException): string =>
  code === "EPIPE" ? "its reader has gone" : code === "EIO" ? "its terminal has gone" : message

/** They are made when they are first asked for, which may fail. */
const outputs = (): ReadonlyArray<Output> =>
  (["stdout", "stderr"] as const).flatMap((name) => {
    try {
      const stream = process[name]
      const output = known.get(stream) ?? makeOutput(name, stream)
      known.set(stream, output)
      return [output]
    } catch {
      countLogError()
      return []
    }
  })

/** Listens where nobody does: a listener that the user added with `once` may have gone. */
const listen = () => {
  for (const output of outputs()) {
    const { onError, stream } = output
    const others = stream.listeners("error").filter((listener) => !isErrorListenerOfNode(listener))
    if (others.length > 0) continue
    stream.on("error", onError)
  }
}

/**
 * From now on, and until what it returns is called, an output that fails ends nothing. One that has failed keeps its
 * listener: what the program logs after the shutdown goes there, too.
 */
export const holdOutputs = (): () => void => {
  holds++
  listen()
  let isHeld = true
  return () => {
    if (!isHeld) return
    isHeld = false
    // what has been written last fails in this turn of the event loop, or in the next one
    setImmediate(setImmediate, () => {
      if (--holds > 0) return
      for (const [stream, { failed, onError }] of known) {
        if (!failed) stream.off("error", onError)
      }
    })
  }
}

/** Whether what is logged to the standard output is lost. */
export const isOutputLost = (): boolean => outputs().some(({ failed, name }) => failed && name === "stdout")

/** What could not be logged where it belongs: to the standard error, or else to the standard output. */
export const writeElsewhere = (...parts: ReadonlyArray<unknown>): void => {
  const left = outputs().filter(({ failed }) => !failed).map(({ name }) => name)
  try {
    // oxlint-disable-next-line no-console -- it is what is left
    if (left.includes("stderr")) console.error(...parts)
    // oxlint-disable-next-line no-console -- it is what is left
    else if (left.includes("stdout")) console.log(...parts)
  } catch {
    countLogError()
  }
}
