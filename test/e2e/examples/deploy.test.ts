import { DockerfileParser } from "dockerfile-ast"
import { Duration } from "effect"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { parseAllDocuments, parseDocument } from "yaml"
import { Shutdown } from "../../../src/index.js"
import { type Child, startLimit, withChild } from "../../support/child.js"
import { describeWith } from "../../support/describeWith.js"
import { haproxy, nginx, type Program, start, systemdAnalyze } from "../../support/program.js"
import { withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"

// The files to deploy with: each is parsed by what will read it, and its numbers fit the preset that it names.

const limit = 15_000

const folder = fileURLToPath(new URL("../../../examples/deploy/", import.meta.url))
const read = (name: string): string => Fs.readFileSync(join(folder, name), "utf8")

/** How long a policy takes at the most, and what is left to the release of everything else. */
const millis = ({ killTimeout = 0, lameDuck = 0, timeout = 0 }: Shutdown.Policy): number =>
  Duration.toMillis(lameDuck) + Duration.toMillis(timeout) + Duration.toMillis(killTimeout) + 1000

const seconds = (text: string | undefined): number => {
  const [, n] = /^(\d+)s?$/.exec(text ?? "") ?? []
  if (n === undefined) throw new Error(`no number of seconds: ${text}`)
  return Number(n)
}

/** The presets of the app, as its source has them. */
const preset = (name: string): string =>
  new RegExp(`^  ${name}: \\(\\) => (Shutdown.*), lameDuck }\\),?$`, "m").exec(read("server.ts"))?.[1]?.concat(" })") ??
    ""

const withFiles = async (files: Readonly<Record<string, string>>, use: (folder: string) => Promise<void>) => {
  const folder = Fs.mkdtempSync(join(tmpdir(), "deploy-"))
  try {
    for (const [name, text] of Object.entries(files)) Fs.writeFileSync(join(folder, name), text)
    await use(folder)
  } finally {
    Fs.rmSync(folder, { recursive: true })
  }
}

const check = async (program: Program, args: ReadonlyArray<string>) => {
  const running = start(program, args)
  try {
    const { code, stderr, stdout } = await running.ran(limit)
    return { code, said: stdout.toString() + stderr }
  } finally {
    await running.kill()
  }
}

describeWith(haproxy, () => {
  const config = read("haproxy.cfg")

  it("reads haproxy.cfg, and would not read another", () =>
    withFiles({ right: config, wrong: config.replace("option redispatch", "option redisptach") }, async (folder) => {
      expect(await check(haproxy, ["-c", "-f", join(folder, "right")])).toMatchObject({ code: 0 })
      expect((await check(haproxy, ["-c", "-f", join(folder, "wrong")])).code).not.toBe(0)
    }))
})

describeWith(nginx, () => {
  const config = read("nginx.conf")

  it("reads nginx.conf, and would not read another", () =>
    withFiles({ right: config, wrong: config.replace("keepalive 32", "keepalvie 32") }, async (folder) => {
      const test = (name: string) => check(nginx, ["-t", "-c", join(folder, name), "-g", `pid ${join(folder, "pid")};`])
      expect(await test("right")).toMatchObject({ code: 0 })
      expect((await test("wrong")).code).not.toBe(0)
    }))
})

describeWith(systemdAnalyze, () => {
  const units = ["app.service", "app.socket", "app-handoff.service"]
  it(`reads ${units.join(", ")}, and complains about others`, async () => {
    const verify = async (changed: (text: string) => string) => {
      let complaints: ReadonlyArray<string> = []
      // it looks whether the command is there
      const texts = units.map((name) => [name, changed(read(name)).replace("/usr/bin/node", process.execPath)])
      await withFiles(Object.fromEntries(texts) as Record<string, string>, async (folder) => {
        const { code, said } = await check(systemdAnalyze, ["verify", ...units.map((name) => join(folder, name))])
        complaints = said.split("\n").filter((line) => /\bapp(-handoff)?\.(service|socket)\b/.test(line))
        if (code !== 0 && complaints.length === 0) complaints = [`exit code ${code}: ${said}`]
      })
      return complaints
    }
    expect(await verify((text) => text)).toEqual([])
    expect(await verify((text) => text.replace("KillMode=mixed", "KilMode=mixed"))).not.toEqual([])
    expect(await verify((text) => text.replace("PIDFile=", "PIDFille="))).not.toEqual([])
  })
})

describe("haproxy.cfg", () => {
  it("it knows of a lame duck before that ends", () => {
    const config = read("haproxy.cfg")
    const [, inter, fall] = /inter (\S+) fall (\d+)/.exec(config) ?? []
    const [, timeout] = /timeout check (\S+)/.exec(config) ?? []
    const latest = (seconds(inter) + seconds(timeout)) * Number(fall)
    expect(latest).toBeGreaterThan(0)
    expect(latest * 1000).toBeLessThan(Duration.toMillis(Shutdown.kubernetes().lameDuck ?? 0))
  })

  it("it sends nothing twice", () => {
    expect(/^ *retry-on (.*)$/m.exec(read("haproxy.cfg"))?.[1]).toBe("conn-failure")
  })
})

describe("nginx.conf", () => {
  it("it leaves the connections that it keeps before the app does", () => {
    const server = createServer()
    const kept = /keepalive_timeout (\S+);/.exec(read("nginx.conf"))?.[1]
    expect(seconds(kept) * 1000).toBeLessThan(server.keepAliveTimeout)
  })

  it("it sends no POST twice", () => {
    expect(/^ *proxy_next_upstream (.*);$/m.exec(read("nginx.conf"))?.[1]).toBe("error timeout")
  })
})

describe("apache.conf", () => {
  it("it leaves the connections that it keeps before the app does", () => {
    const server = createServer()
    const kept = Array.from(read("apache.conf").matchAll(/ttl=(\S+)/g), ([, ttl]) => seconds(ttl) * 1000)
    expect(kept).toHaveLength(2)
    for (const millis of kept) expect(millis).toBeLessThan(server.keepAliveTimeout)
  })
})

describe("app.service and app.socket", () => {
  const value = (unit: string, name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(read(unit))?.[1]

  it("the time to stop is the preset's", () => {
    const allowed = seconds(value("app.service", "TimeoutStopSec"))
    expect(millis(Shutdown.systemd({ timeoutStop: `${allowed} seconds` }))).toBe(allowed * 1000)
    expect(preset("systemd")).toBe(`Shutdown.systemd({ timeoutStop: "${allowed} seconds" })`)
  })

  it("it is told what happens, and starts node itself", () => {
    expect(value("app.service", "Type")).toBe("notify")
    expect(value("app.service", "NotifyAccess")).toBe("all")
    expect(value("app.service", "ExecStart")).toMatch(/^\/usr\/bin\/node /)
    expect(value("app.service", "Requires")).toBe("app.socket")
    expect(read("server.ts")).toContain(`Systemd.socket("${value("app.socket", "FileDescriptorName")}")`)
  })
})

describe("app-handoff.service", () => {
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(read("app-handoff.service"))?.[1]

  it("systemd and the program mean the same file, which is where the program may write", () => {
    const file = value("PIDFile")
    expect(file).toBe(`/run/${value("RuntimeDirectory")}/pid`)
    expect(value("Environment")).toContain(`PID_FILE=${file}`)
    expect(read("server.ts")).toContain(`process.env["PID_FILE"]`)
  })

  it("it is told when a successor is ready, and a stop is for both processes", () => {
    expect(value("Type")).toBe("notify")
    expect(value("NotifyAccess")).toBe("all")
    expect(value("ExecReload")).toMatch(/^\/bin\/kill -USR2 \$MAINPID$/)
    expect(value("KillMode")).toBe("control-group")
    expect(millis(Shutdown.systemd({ timeoutStop: `${seconds(value("TimeoutStopSec"))} seconds` }))).toBe(90_000)
  })
})

describe("what is started", () => {
  const [stages] = [DockerfileParser.parse(read("Dockerfile"))]
  const commands = stages.getInstructions().filter((each) => each.getKeyword() === "CMD")

  it("is one file in every deployment, which the build makes of server.ts", () => {
    const built = "dist/server.js"
    expect(commands.map((each) => each.getArgumentsContent())).toEqual([`["node", "${built}"]`])
    for (const unit of ["app.service", "app-handoff.service"]) {
      const directory = /^WorkingDirectory=(.*)$/m.exec(read(unit))?.[1]
      expect(/^ExecStart=\S+ (.*)$/m.exec(read(unit))?.[1]).toBe(`${directory}/${built}`)
    }
    const { apps } = createRequire(import.meta.url)(join(folder, "ecosystem.config.cjs")) as {
      readonly apps: ReadonlyArray<{ readonly script: string }>
    }
    expect(apps.map(({ script }) => script)).toEqual([built])
    expect(read("README.md")).toContain(`They run \`${built}\``)
  })

  it("the image has nothing of this machine's that the build makes", () => {
    const ignored = read(".dockerignore").split("\n")
    expect(ignored).toContain("node_modules")
    expect(ignored).toContain("dist")
  })
})

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly periodSeconds: number
  readonly timeoutSeconds?: number
  readonly failureThreshold: number
}

interface Deployment {
  readonly spec: {
    readonly replicas: number
    readonly selector: { readonly matchLabels: object }
    readonly template: {
      readonly metadata: { readonly labels: object; readonly annotations: Readonly<Record<string, string>> }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly volumes: ReadonlyArray<object>
        readonly containers: ReadonlyArray<{
          readonly image: string
          readonly lifecycle?: unknown
          readonly command?: unknown
          readonly securityContext: { readonly readOnlyRootFilesystem: boolean }
          readonly volumeMounts: ReadonlyArray<{ readonly name: string; readonly mountPath: string }>
          readonly env: ReadonlyArray<{ readonly name: string; readonly value: string }>
          readonly ports: ReadonlyArray<{ readonly name: string; readonly containerPort: number }>
          readonly startupProbe: Probe
          readonly readinessProbe: Probe
          readonly livenessProbe: Probe
        }>
      }
    }
  }
}

interface Service {
  readonly spec: {
    readonly selector: object
    readonly ports: ReadonlyArray<{ readonly targetPort: string }>
  }
}

describe("kubernetes.yaml", () => {
  const documents = parseAllDocuments(read("kubernetes.yaml"))
  const find = (kind: string): unknown =>
    documents.map((document): unknown => document.toJS()).find((each) =>
      typeof each === "object" && each !== null && "kind" in each && each.kind === kind
    )
  const { spec } = find("Deployment") as Deployment
  const pod = spec.template.spec
  const [container] = pod.containers
  const ports = new Map(container?.ports.map(({ containerPort, name }) => [name, containerPort]))

  it("it is YAML without an error or a warning", () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([])
    expect(documents.map((document) => document.get("kind"))).toEqual([
      "Deployment",
      "Service",
      "NetworkPolicy",
      "PodDisruptionBudget"
    ])
  })

  it("everybody reaches the app, and Prometheus alone the admin listener", () => {
    const policy = find("NetworkPolicy") as {
      readonly spec: {
        readonly podSelector: object
        readonly ingress: ReadonlyArray<{ readonly ports: ReadonlyArray<{ readonly port: string }>; from?: unknown }>
      }
    }
    expect(policy.spec.podSelector).toEqual(spec.selector)
    const open = new Map(policy.spec.ingress.map(({ from, ports }) => [ports.map(({ port }) => port).join(), from]))
    expect(open.get("http")).toBeUndefined()
    expect(open.get("admin")).toMatchObject([{ namespaceSelector: {} }])
    expect([...open.keys()]).toEqual([...ports.keys()])
  })

  it("the grace period is the preset's", () => {
    const allowed = pod.terminationGracePeriodSeconds
    expect(millis(Shutdown.kubernetes({ terminationGracePeriod: `${allowed} seconds` }))).toBe(allowed * 1000)
    expect(preset("kubernetes")).toBe(`Shutdown.kubernetes({ terminationGracePeriod: "${allowed} seconds" })`)
    // what a preStop hook takes, the shutdown does not have
    expect(container?.lifecycle).toBeUndefined()
    expect(container?.command).toBeUndefined()
  })

  it("the story at its head is the preset's", () => {
    const policy = Shutdown.kubernetes({ terminationGracePeriod: `${pod.terminationGracePeriodSeconds} seconds` })
    const told = Array.from(read("kubernetes.yaml").matchAll(/^# +(\d+) s {2}/gm), ([, n]) => Number(n) * 1000)
    const draining = Duration.toMillis(policy.lameDuck ?? 0)
    const deadline = draining + Duration.toMillis(policy.timeout ?? 0)
    const cut = deadline + Duration.toMillis(policy.killTimeout ?? 0)
    expect(told).toEqual([0, draining, deadline, cut, pod.terminationGracePeriodSeconds * 1000])
  })

  it("each probe asks its own route, at the admin listener", () => {
    const { livenessProbe, readinessProbe, startupProbe } = container!
    expect([startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet)).toEqual([
      { path: "/startupz", port: "admin" },
      { path: "/readyz", port: "admin" },
      { path: "/livez", port: "admin" }
    ])
    expect(container?.env).toContainEqual({ name: "ADMIN_HOST", value: "0.0.0.0" })
    expect(spec.template.metadata.annotations["prometheus.io/port"]).toBe(String(ports.get("admin")))
  })

  it("a lame duck is seen to be not ready before it ends", () => {
    const { failureThreshold, periodSeconds, timeoutSeconds = 1 } = container!.readinessProbe
    const latest = (periodSeconds + timeoutSeconds) * failureThreshold * 1000
    expect(latest).toBeLessThan(Duration.toMillis(Shutdown.kubernetes().lameDuck ?? 0))
  })

  it("what is written goes to a folder of the pod's own: all else is read-only", () => {
    const mounts = container?.volumeMounts.map(({ mountPath, name }) => [mountPath, name])
    expect(container?.securityContext.readOnlyRootFilesystem).toBe(true)
    expect(mounts).toEqual([["/tmp", "tmp"]])
    expect(pod.volumes).toMatchObject([{ name: "tmp", emptyDir: {} }])
  })

  it("kustomize makes a base of it, with the same image", () => {
    const base = parseDocument(read("kustomization.yaml")).toJS() as {
      readonly resources: ReadonlyArray<string>
      readonly images: ReadonlyArray<{ readonly name: string; readonly newTag: string }>
    }
    expect(base.resources).toEqual(["kubernetes.yaml"])
    expect(base.images.map(({ name, newTag }) => `${name}:${newTag}`)).toEqual([container?.image])
  })

  it("the Prometheus Operator finds the pods, the port, and the route of the metrics", () => {
    const monitor = parseDocument(read("podmonitor.yaml")).toJS() as {
      readonly spec: {
        readonly selector: object
        readonly podMetricsEndpoints: ReadonlyArray<{ readonly port: string }>
      }
    }
    expect(monitor.spec.selector).toEqual(spec.selector)
    expect(monitor.spec.podMetricsEndpoints).toMatchObject([{ port: "admin", path: "/metrics" }])
  })

  it("the service finds the pods, and their port", () => {
    const service = find("Service") as Service
    const budget = find("PodDisruptionBudget") as { readonly spec: { readonly selector: object } }
    expect(service.spec.selector).toEqual(spec.template.metadata.labels)
    expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels)
    expect(budget.spec.selector).toEqual(spec.selector)
    expect(service.spec.ports.map(({ targetPort }) => ports.has(targetPort))).toEqual([true])
  })
})

describe("Dockerfile", () => {
  const instructions = DockerfileParser.parse(read("Dockerfile")).getInstructions()
  const all = (keyword: string) => instructions.filter((each) => each.getKeyword() === keyword)

  it("node itself is PID 1, and gets SIGTERM", () => {
    expect(all("CMD").map((each) => each.getArgumentsContent())).toEqual([`["node", "dist/server.js"]`])
    expect(all("ENTRYPOINT")).toEqual([])
    expect(all("STOPSIGNAL").map((each) => each.getArgumentsContent())).toEqual(["SIGTERM"])
    expect(all("USER").map((each) => each.getArgumentsContent())).toEqual(["node"])
  })

  it("it holds nothing but known instructions", () => {
    const known = ["FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "CMD"]
    expect(instructions.filter((each) => !known.includes(each.getKeyword())).map(String)).toEqual([])
    expect(instructions[0]?.getKeyword()).toBe("FROM")
    expect(instructions.at(-1)?.getKeyword()).toBe("CMD")
  })

  it("what docker stop allows is the preset's", () => {
    const allowed = /SIGKILL (\d+) seconds later/.exec(read("Dockerfile"))?.[1]
    expect(millis(Shutdown.docker({ stopTimeout: `${Number(allowed)} seconds` }))).toBe(Number(allowed) * 1000)
    expect(preset("docker")).toBe(`Shutdown.docker({ stopTimeout: "${allowed} seconds" })`)
  })
})

describe("ecosystem.config.cjs", () => {
  const { apps } = createRequire(import.meta.url)(join(folder, "ecosystem.config.cjs")) as {
    readonly apps: ReadonlyArray<Readonly<Record<string, unknown>>>
  }

  it("it waits, says so by message, and allows what the preset takes", () => {
    expect(apps).toHaveLength(1)
    expect(apps[0]).toMatchObject({ wait_ready: true, shutdown_with_message: true, env: { DEPLOYED_BY: "pm2" } })
    expect(apps[0]?.["kill_timeout"]).toBe(millis(Shutdown.docker({ stopTimeout: "10 seconds" })))
    expect(preset("pm2")).toBe(`Shutdown.docker({ stopTimeout: "10 seconds" })`)
  })
})

describe("server.ts", () => {
  const server = new URL("../../../examples/deploy/server.ts", import.meta.url)
  const withServer = (env: Readonly<Record<string, string>>, use: (child: Child) => Promise<void>) =>
    withChild(server, [], use, { env: { PORT: "0", ADMIN_PORT: "0", ...env } })
  const logged = (child: Child, pattern: RegExp) =>
    waitFor(
      () => `${String(pattern)} in the log: ${child.stdout()}${child.stderr()}`,
      () => pattern.exec(child.stdout()) ?? child.exited !== undefined,
      startLimit
    )

  const drains = { docker: "8s", kubernetes: "23s", pm2: "8s", systemd: "1m 28s" }
  for (const [deployedBy, timeout] of Object.entries(drains)) {
    it(
      `deployed by ${deployedBy} it drains for up to ${timeout}`,
      { timeout: 60_000 },
      () =>
        withServer({ DEPLOYED_BY: deployedBy, SHUTDOWN_LAME_DUCK: "100 millis" }, async (child) => {
          const listening = /Listening on http:\/\/(?:0\.0\.0\.0|\[::\]):(\d+)/
          await logged(child, listening)
          const port = Number(listening.exec(child.stdout())?.[1])
          await withClient({ port }, async (client) => {
            await client.write("POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
            child.signal("SIGTERM")
            const { responses } = await client.untilResponses(1, limit)
            expect(responses[0]?.body.toString()).toBe("hello, two seconds later\n")
          })
          expect(await child.exit(limit)).toMatchObject({ code: 0 })
          expect(child.stdout()).toContain(`raining for up to ${timeout}`)
        })
    )
  }

  it(
    "deployed by something else it does not start",
    { timeout: 60_000 },
    () =>
      withServer({ DEPLOYED_BY: "hand" }, async (child) => {
        expect(await child.exit(startLimit)).toMatchObject({ code: 1 })
        expect(child.stdout() + child.stderr()).toContain("DEPLOYED_BY")
      })
  )
})
