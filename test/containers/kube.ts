/**
 * examples/deploy/kubernetes.yaml by `podman kube play`, one pod. It is changed where Podman has no other way: the image
 * and the network are those of this run, and the liveness probe is the command of the Dockerfile, since Podman would ask
 * by a `curl` in the container. Podman 4.3 leaves the other probes out: they are asked here, as a kubelet does.
 */
import { DockerfileParser } from "dockerfile-ast"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseAllDocuments } from "yaml"
import { pace } from "../support/wait.js"
import { type Clients, type Got, inLameDuck, startClients, started } from "./clients.js"
import { type Engine, exitOf, healthy } from "./engine.js"
import { deploy } from "./paths.js"
import { judged, type Stopped } from "./stopped.js"

interface Probe {
  readonly httpGet: { readonly path: string }
  readonly periodSeconds: number
  readonly failureThreshold: number
}

interface Container {
  image: string
  ports?: unknown
  readonly startupProbe: Probe
  readonly readinessProbe: Probe
  livenessProbe: object
}

interface Deployment {
  readonly kind: "Deployment"
  readonly spec: {
    replicas: number
    readonly template: {
      readonly spec: {
        hostNetwork?: boolean
        readonly terminationGracePeriodSeconds: number
        readonly containers: readonly [Container]
      }
    }
  }
}

const healthCommand = (): ReadonlyArray<string> => {
  const text = Fs.readFileSync(deploy("Dockerfile"), "utf8")
  const healthcheck = DockerfileParser.parse(text).getHEALTHCHECKs()[0]
  const command = /CMD (\[.*\])$/.exec(healthcheck?.getRawArgumentsContent() ?? "")?.[1]
  if (command === undefined) throw new Error("the Dockerfile has no HEALTHCHECK with a command")
  return JSON.parse(command) as ReadonlyArray<string>
}

/** Podman 4.3 gives the words of a probe to a shell. */
const quoted = (word: string): string => {
  if (/["$`\\]/.test(word)) throw new Error(`a shell would change ${word}`)
  return `"${word}"`
}

const adapted = (folder: string) => {
  const documents = parseAllDocuments(Fs.readFileSync(deploy("kubernetes.yaml"), "utf8")).map((each) =>
    each.toJS() as { readonly kind: string }
  )
  const deployment = documents.find((each): each is Deployment => each.kind === "Deployment")
  if (deployment === undefined) throw new Error("kubernetes.yaml has no Deployment")
  const { spec: pod } = deployment.spec.template
  const [container] = pod.containers
  deployment.spec.replicas = 1
  pod.hostNetwork = true
  container.image = "localhost/app"
  delete container.ports
  const { httpGet: _, ...times } = container.livenessProbe as Probe
  // it starts a node for each: the second of the manifest is for an answer by HTTP, which is asked for here as well
  container.livenessProbe = { ...times, timeoutSeconds: 10, exec: { command: healthCommand().map(quoted) } }
  const file = Path.join(folder, "kubernetes.json")
  Fs.writeFileSync(file, documents.map((each) => JSON.stringify(each)).join("\n---\n"))
  const { readinessProbe, startupProbe } = container
  return { file, grace: pod.terminationGracePeriodSeconds, readinessProbe, startupProbe }
}

const secondsOf = ({ failureThreshold, periodSeconds }: Probe): number => failureThreshold * periodSeconds

const name = "app-pod-0-app"

interface Way {
  readonly name: string
  readonly command: (file: string, grace: number) => ReadonlyArray<string>
  /** It takes the container with it: there is no exit code to ask for, and no lame duck to look at. */
  readonly removes?: true
  readonly expected: { readonly code: number | undefined; readonly lost: "none" | "some" }
}

const ways: ReadonlyArray<Way> = [
  {
    name: "`podman kube play`, `podman pod stop --time 30`",
    command: (_, grace) => ["pod", "stop", "--time", `${grace}`, "app-pod-0"],
    expected: { code: 0, lost: "none" }
  },
  {
    // it is killed at once
    name: "`podman kube play`, `podman kube down`",
    command: (file) => ["kube", "down", file],
    removes: true,
    expected: { code: undefined, lost: "some" }
  }
]

/** A kubelet would have seen by now that it is not ready, and it still serves. */
const lameDuckProblems = async (readiness: Probe): Promise<ReadonlyArray<string>> => {
  await pace(secondsOf(readiness) * 1000)
  return inLameDuck(readiness.httpGet.path)
}

const played = async (engine: Engine, folder: string, way: Way): Promise<Stopped> => {
  const { file, grace, readinessProbe, startupProbe } = adapted(folder)
  let clients: Clients | undefined
  let got: Got | undefined
  try {
    await engine.podman(["kube", "play", "--log-driver=k8s-file", file], 120_000)
    await started(secondsOf(startupProbe), startupProbe.periodSeconds * 1000)
    await healthy(engine, name)
    clients = await startClients()
    const begun = Date.now()
    const [over, seen] = await Promise.all([
      engine.podman(way.command(file, grace)).then(() => Date.now()),
      way.removes === true ? [] : lameDuckProblems(readinessProbe)
    ])
    got = await clients.end()
    const { at, code } = way.removes === true ? { at: over, code: undefined } : await exitOf(engine, name)
    return judged({ ...way, stopSeconds: grace }, { code, millis: at - begun, got, problems: seen })
  } finally {
    if (got === undefined) await clients?.end()
    // the pod, with what the play has made of it; a pod that is gone is no error
    await engine.podman(["pod", "rm", "--force", "--ignore", "--time=0", "app-pod-0"])
  }
}

export const playKube = async (engine: Engine, folder: string): Promise<ReadonlyArray<Stopped>> => {
  const rows: Array<Stopped> = []
  for (const way of ways) rows.push(await played(engine, folder, way))
  return rows
}
