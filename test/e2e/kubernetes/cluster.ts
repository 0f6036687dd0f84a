/**
 * What Kubernetes does to a pod, and its clients to a service, as far as a rolling restart is concerned.
 *
 * A deleted pod gets SIGTERM from its kubelet, and SIGKILL when `terminationGracePeriodSeconds` have passed. Its endpoint
 * is removed at the same time, not before: each node learns of it a little later, and sends new connections to the pod
 * until then. Connections that are open stay where they are.
 */
import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { type Child, start, startLimit } from "../../support/child.js"
import { pace, waitFor } from "../../support/wait.js"
import type { Options } from "./fixtures/pod.js"

export interface Pod {
  readonly name: string
  readonly child: Child
  readonly port: number
  readonly admin: number
}

export const runPod = async (options: Options): Promise<Pod> => {
  const child = start(new URL("./fixtures/pod.ts", import.meta.url), [JSON.stringify(options)])
  try {
    const { admin, port } = await child.line("listening", startLimit)
    return { name: options.name, child, port: Number(port), admin: Number(admin) }
  } catch (cause) {
    await child.kill()
    throw cause
  }
}

/** The pods that new connections to the service go to, as the nodes know it. */
export class Service {
  readonly endpoints = new Set<Pod>()
  #turn = 0

  constructor(pods: ReadonlyArray<Pod>) {
    for (const pod of pods) this.endpoints.add(pod)
  }

  connect(): Net.Socket {
    const pods = Array.from(this.endpoints)
    const pod = pods[this.#turn++ % pods.length]
    if (pod === undefined) throw new Error("the service has no endpoint")
    return Net.connect(pod.port, "127.0.0.1")
  }
}

export interface Load {
  /** For each pod, when its answers came. */
  readonly answers: ReadonlyMap<string, ReadonlyArray<number>>
  readonly failures: ReadonlyArray<string>
  readonly stop: () => Promise<void>
}

const post = async (agent: Http.Agent, body: string): Promise<string> => {
  const request = Http.request({ agent, method: "POST", path: "/", host: "service" }).end(body)
  const [response] = await once(request, "response") as [Http.IncomingMessage]
  let text = ""
  for await (const chunk of response.setEncoding("utf8")) text += String(chunk)
  if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${text}`)
  return text
}

/** Clients that post all the time: half of them keep their connection, half make one for each request. */
export const load = (service: Service, clients = 8): Load => {
  const answers = new Map<string, Array<number>>()
  const failures: Array<string> = []
  let stopped = false
  const client = async (id: number) => {
    const agent = new Http.Agent({ keepAlive: id % 2 === 0, maxSockets: 1 })
    agent.createConnection = () => service.connect()
    for (let n = 0; !stopped; n++) {
      try {
        const [body, pod = "nobody"] = (await post(agent, `${id}/${n}`)).split(" ")
        if (body !== `${id}/${n}`) throw new Error(`the answer of another: ${body}`)
        const of = answers.get(pod) ?? []
        of.push(Date.now())
        answers.set(pod, of)
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error))
      }
      await pace(5)
    }
    agent.destroy()
  }
  const all = Promise.all(Array.from({ length: clients }, (_, id) => client(id)))
  return {
    answers,
    failures,
    stop: async () => {
      stopped = true
      await waitFor("the clients to end", all, 10_000)
    }
  }
}

/** Asks a probe, as a kubelet or a load balancer does. */
export const probe = async (port: number, path: string): Promise<number> => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  await response.text()
  return response.status
}
