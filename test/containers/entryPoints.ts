/** How a Dockerfile may start the app, and what is expected of each. */

export interface EntryPoint {
  readonly name: string
  /** After `FROM app`, which is the image of examples/deploy/Dockerfile. */
  readonly dockerfile: ReadonlyArray<string>
  /** A script that the Dockerfile copies. */
  readonly script?: string
  readonly init?: true
  readonly env?: Readonly<Record<string, string>>
  /** `--time` of `podman stop`. */
  readonly stopSeconds: number
  /** It is asked for its health while it shuts down. */
  readonly lameDuck?: true
  readonly expected: {
    /** 137: SIGKILL, when the time was over. */
    readonly code: number
    readonly lost: "none" | "some"
    /** Requests are answered by 503, since their time was over. */
    readonly interrupted?: true
  }
}

const exec = [`CMD ["node", "dist/server.js"]`]
const shell = ["CMD node dist/server.js"]
const npm = [`CMD ["npm", "start"]`]
const copied = ["COPY start.sh ./", `CMD ["./start.sh"]`]
const script = (command: string) => `#!/bin/sh\n${command}\n`

const drained = { code: 0, lost: "none" } as const

export const entryPoints: ReadonlyArray<EntryPoint> = [
  { name: "`CMD [\"node\", …]`", dockerfile: exec, stopSeconds: 10, expected: drained },
  { name: "`CMD [\"node\", …]`, `--init`", dockerfile: exec, init: true, stopSeconds: 10, expected: drained },
  {
    name: "`CMD exec node …`",
    dockerfile: ["CMD exec node dist/server.js"],
    stopSeconds: 10,
    expected: drained
  },
  {
    name: "a script that ends with `exec node …`",
    dockerfile: copied,
    script: script("exec node dist/server.js"),
    stopSeconds: 10,
    expected: drained
  },
  {
    name: "`CMD [\"node\", …]`, a lame duck of 6 s",
    dockerfile: exec,
    env: { LAME_DUCK: "6 seconds" },
    stopSeconds: 10,
    lameDuck: true,
    expected: drained
  },
  { name: "`CMD node …`", dockerfile: shell, stopSeconds: 10, expected: { code: 137, lost: "some" } },
  {
    name: "`CMD node …`, `--init`",
    dockerfile: shell,
    init: true,
    stopSeconds: 10,
    expected: { code: 143, lost: "some" }
  },
  {
    name: "a script that ends with `node …`",
    dockerfile: copied,
    script: script("node dist/server.js"),
    stopSeconds: 10,
    expected: { code: 137, lost: "some" }
  },
  {
    name: "a script that ends with `node …`, `--init`",
    dockerfile: copied,
    script: script("node dist/server.js"),
    init: true,
    stopSeconds: 10,
    expected: { code: 143, lost: "some" }
  },
  { name: "`CMD [\"npm\", \"start\"]`", dockerfile: npm, stopSeconds: 10, expected: { code: 1, lost: "some" } },
  {
    name: "`CMD [\"npm\", \"start\"]`, `--init`",
    dockerfile: npm,
    init: true,
    stopSeconds: 10,
    expected: { code: 143, lost: "some" }
  },
  {
    name: "`CMD [\"node\", …]`, stopped with `--time 1`",
    dockerfile: exec,
    stopSeconds: 1,
    expected: { code: 137, lost: "some" }
  },
  {
    name: "the same with `--time 2`, and a policy that fits",
    dockerfile: exec,
    env: { SHUTDOWN_TIMEOUT: "500 millis", SHUTDOWN_KILL_TIMEOUT: "500 millis" },
    stopSeconds: 2,
    expected: { code: 1, lost: "none", interrupted: true }
  }
]
