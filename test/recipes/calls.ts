/** A call that takes a second, and a signal that comes while it is in flight. */
import { createRequire } from "node:module"
import * as Path from "node:path"
import { freePort } from "../../src/internal/check/process/listening.js"
import { pace, waitFor } from "../support/wait.js"
import { folder, type Recipe } from "./recipes.js"
import { ask, type Env, untilListens, withRecipe } from "./server.js"

const inFlightMillis = 400
const endMillis = 15_000

export const answeredCall = (recipe: Recipe, env: Env): Promise<ReadonlyArray<string>> =>
  withRecipe(recipe, env, async (port, running) => {
    const called = ask(port, recipe.call)
    await pace(inFlightMillis)
    running.child.kill("SIGTERM")
    const faults: Array<string> = []
    const { body, status } = await called.catch((error: Error) => ({ status: 0, body: error.message }))
    if (status !== 200 || !body.includes("hello")) faults.push(`its call in flight was answered ${status} ${body}`)
    const { code, signal } = await running.ran(endMillis)
    if (code !== 0) faults.push(`it has ended with ${code ?? signal}, and not with 0`)
    if (recipe.printsLast?.test(running.output()) === false) {
      faults.push(`it has not printed ${String(recipe.printsLast)}: ${running.output().slice(-500)}`)
    }
    return faults
  })

interface Grpc {
  readonly credentials: { readonly createInsecure: () => unknown }
  readonly Client: new(address: string, credentials: unknown) => {
    readonly makeUnaryRequest: (
      path: string,
      serialize: (message: string) => Buffer,
      deserialize: (bytes: Buffer) => string,
      message: string,
      done: (error: Error | null, answer?: string) => void
    ) => void
    readonly close: () => void
  }
}

/** The same, over gRPC. */
export const grpcCall = async (): Promise<ReadonlyArray<string>> => {
  const { Client, credentials } = createRequire(Path.join(folder, "package.json"))("@grpc/grpc-js") as Grpc
  const grpcPort = await freePort()
  return withRecipe({ name: "grpc" }, { GRPC_PORT: `${grpcPort}` }, async (_, running) => {
    await untilListens("grpc", grpcPort)
    const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure())
    const called = new Promise<string>((resolve) => {
      client.makeUnaryRequest("/Greeter/Hello", Buffer.from, String, "world", (error, answer) => {
        resolve(error === null ? answer ?? "" : error.message)
      })
    })
    await pace(inFlightMillis)
    running.child.kill("SIGTERM")
    const answer = await waitFor("the answer over gRPC", called, endMillis)
    client.close()
    const { code, signal } = await running.ran(endMillis)
    return [
      ...answer === "hello, world" ? [] : [`its call over gRPC was answered ${answer}`],
      ...code === 0 ? [] : [`it has ended with ${code ?? signal}, and not with 0`]
    ]
  })
}
