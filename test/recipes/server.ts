/** One of the recipes as a process, and Redis where it needs one. */
import * as Http from "node:http"
import { freePort, isTaken } from "../../src/internal/check/process/listening.js"
import * as Programs from "../support/program.js"
import { pace, waitFor } from "../support/wait.js"
import { type Call, folder, type Recipe } from "./recipes.js"

export type Env = Readonly<Record<string, string>>

const node: Programs.Program = { name: "Node", commands: ["node"], debian: "nodejs" }

const limitMillis = 60_000

/** Waits until somebody listens there. */
export const untilListens = (what: string, port: number): Promise<void> => {
  const look = async (): Promise<void> => {
    while (!await isTaken({ host: "127.0.0.1", port })) await pace(20)
  }
  return waitFor(`${what} to listen on port ${port}`, look(), limitMillis)
}

export interface Answer {
  readonly status: number
  readonly body: string
}

export const ask = (port: number, { body, headers = {}, path }: Call, agent?: Http.Agent): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const options = { agent, headers, host: "127.0.0.1", method: body === undefined ? "GET" : "POST", path, port }
    const request = Http.request(options, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      response.on("error", reject)
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }))
    })
    request.on("error", reject)
    request.end(body)
  })

/** Starts a recipe, runs `use`, and ends it. */
export const withRecipe = async <A>(
  { name }: Pick<Recipe, "name">,
  env: Env,
  use: (port: number, running: Programs.Running) => Promise<A>
): Promise<A> => {
  const port = await freePort()
  const running = Programs.start(node, [`${name}.js`], {
    cwd: folder,
    env: { ...process.env, ...env, PORT: `${port}` }
  })
  try {
    await untilListens(name, port)
    return await use(port, running)
  } finally {
    await running.kill()
  }
}
