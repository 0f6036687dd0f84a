/**
 * Those who stop a process: what time they give it, and in what order they stop many.
 */
import type { Rollout } from "./model.js"
import type { BalancerName, SupervisorName } from "./options.js"

export interface Fact {
  readonly says: string
  readonly source?: string
}

export interface Supervisor {
  readonly title: string
  /** From SIGTERM to SIGKILL, where nothing else was said. */
  readonly grace: number
  /** The setting that says so. */
  readonly setting: (seconds: number) => string
  readonly preset: "kubernetes" | "docker" | "systemd"
  /** The usual one first. */
  readonly balancers: readonly [BalancerName, ...ReadonlyArray<BalancerName>]
  /** The process is the first one of a container, and ignores a signal for which nobody listens. */
  readonly isFirst: boolean
  /** Whoever stops an instance tells the balancer, too. */
  readonly tellsBalancer: boolean
  readonly rollout: (instances: number) => Rollout
  readonly facts: ReadonlyArray<Fact>
}

const oneByOne = (): Rollout => ({ _tag: "InPlace", atOnce: 1, pause: 0 })

const inPlace: Fact = {
  says: "one instance after the other is restarted in its place, when the balancer sends to the one before"
}

const ownBalancers = ["none", "haproxy", "nginx", "alb", "nlb", "google"] as const satisfies ReadonlyArray<BalancerName>

export const supervisors: Readonly<Record<SupervisorName, Supervisor>> = {
  kubernetes: {
    title: "Kubernetes",
    grace: 30_000,
    setting: (seconds) => `terminationGracePeriodSeconds: ${seconds}, and no preStop hook`,
    preset: "kubernetes",
    balancers: ["kubernetes", "alb", "nlb", "google", "haproxy", "nginx"],
    isFirst: true,
    tellsBalancer: true,
    rollout: (instances) => ({ _tag: "Replace", atOnce: Math.ceil(instances / 4) }),
    facts: [
      {
        says: "a pod gets SIGTERM while its endpoint is being removed, and SIGKILL when the grace period is over",
        source: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"
      },
      {
        says: "a quarter of the pods is replaced at a time, the new ones first (maxSurge 25%, maxUnavailable 0)",
        source: "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment"
      }
    ]
  },
  ecs: {
    title: "Amazon ECS",
    grace: 30_000,
    setting: (seconds) => `stopTimeout: ${seconds} of the container (120 at the most on Fargate)`,
    preset: "docker",
    balancers: ["alb", "nlb"],
    isFirst: true,
    tellsBalancer: true,
    rollout: (instances) => ({ _tag: "Replace", atOnce: instances }),
    facts: [
      {
        says: "a task is deregistered first, and gets SIGTERM when the deregistration delay is over",
        source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html"
      },
      {
        says: "all new tasks are started before an old one is stopped (minimumHealthyPercent 100, maximumPercent 200)",
        source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_definition_parameters.html"
      }
    ]
  },
  docker: {
    title: "Docker",
    grace: 10_000,
    setting: (seconds) => `docker stop --time ${seconds}, or stop_grace_period: ${seconds}s`,
    preset: "docker",
    balancers: ownBalancers,
    isFirst: true,
    tellsBalancer: false,
    rollout: oneByOne,
    facts: [
      {
        says: "a container gets SIGTERM, and SIGKILL after 10 s",
        source: "https://docs.docker.com/reference/cli/docker/container/stop/"
      },
      inPlace
    ]
  },
  systemd: {
    title: "systemd",
    grace: 90_000,
    setting: (seconds) => `TimeoutStopSec=${seconds}`,
    preset: "systemd",
    balancers: ownBalancers,
    isFirst: false,
    tellsBalancer: false,
    rollout: oneByOne,
    facts: [
      {
        says: "a service gets SIGTERM, and SIGKILL after 90 s",
        source: "https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#TimeoutStopSec="
      },
      inPlace
    ]
  },
  pm2: {
    title: "PM2",
    grace: 1600,
    setting: (seconds) => `kill_timeout: ${seconds * 1000}`,
    preset: "docker",
    balancers: ownBalancers,
    isFirst: false,
    tellsBalancer: false,
    rollout: oneByOne,
    facts: [
      {
        says: "a process gets SIGINT, and SIGKILL after 1.6 s",
        source: "https://pm2.keymetrics.io/docs/usage/signals-clean-restart/"
      },
      inPlace
    ]
  }
}
