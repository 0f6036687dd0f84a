/**
 * Those who send requests to instances: how they come to know that one leaves, and what they do with a request that fails.
 * Their numbers are the defaults of their makers, unless it says otherwise.
 */
import { InvalidPlan } from "./errors.js"
import type { Balancer, Learns } from "./model.js"
import type { BalancerName, SupervisorName } from "./options.js"
import { type Fact, supervisors } from "./supervisors.js"

export interface KnownBalancer {
  readonly title: string
  readonly balancer: Balancer
  /** For how long it may still send to an instance that is not ready; what its checks take, and 2 seconds. */
  readonly sendsFor: number
  /** It may send on connections that it has when the listeners close. */
  readonly sendsToTheEnd: boolean
  readonly settings: ReadonlyArray<string>
  readonly facts: ReadonlyArray<Fact>
}

const sameZone = 1
const sameMachine = 0.1

const layer7 = { connections: "balancer", resendsGet: false, retries: 0, roundTrip: sameZone } as const
const layer4 = { connections: "clients", resendsGet: false, retries: 0, roundTrip: sameZone } as const

const deregistrationDelay = 300_000

const told = (least: number, most: number, lag: number | undefined, before = 0): Learns => ({
  _tag: "Told",
  // one that was measured is the longest
  least: lag === undefined ? least : Math.min(least, lag / 4),
  most: lag ?? most,
  before
})

const checks = (interval: number, fall: number, rise: number): Learns => ({ _tag: "Checks", interval, fall, rise })

const aws = "https://docs.aws.amazon.com/elasticloadbalancing/latest"

const clients: Fact = {
  says:
    "clients keep connections to an instance, and send a request a second on each; half of the requests, and all that "
    + "take long, come on new ones"
}

const readiness: Fact = { says: "its health check asks /readyz, which fails from the first moment of a shutdown" }

/** `elb`: what the two of AWS have in common. */
const elb = (
  name: "alb" | "nlb",
  supervisor: SupervisorName,
  lag: number | undefined
): Omit<KnownBalancer, "title"> => {
  const guide = `${aws}/${name === "alb" ? "application" : "network"}`
  const base = name === "alb"
    ? { ...layer7, idleTimeout: 60_000, views: 4 }
    : { ...layer4, idleTimeout: 350_000, views: 4 }
  const idle: Fact = name === "alb"
    ? {
      says:
        "it keeps a connection to a target for 60 s (idle_timeout.timeout_seconds), and sends no request a second time",
      source: `${guide}/edit-load-balancer-attributes.html`
    }
    : { says: "it keeps a connection of a client for 350 s", source: `${guide}/update-idle-timeout.html` }
  const facts = name === "nlb" ? [idle, clients] : [idle]
  if (!supervisors[supervisor].tellsBalancer) {
    return {
      balancer: { ...base, learns: checks(30_000, 2, name === "alb" ? 5 : 3) },
      sendsFor: 67_000,
      sendsToTheEnd: name === "nlb",
      settings: [],
      facts: [
        {
          says: "nobody deregisters the target: 2 health checks fail, 30 s apart, within 5 s each",
          source: `${guide}/target-group-health-checks.html`
        },
        readiness,
        ...facts
      ]
    }
  }
  const isFirst = supervisor === "ecs"
  const most = lag ?? 20_000
  return {
    balancer: { ...base, learns: told(5000, 20_000, lag, isFirst ? deregistrationDelay : 0) },
    sendsFor: isFirst ? 0 : most,
    sendsToTheEnd: name === "nlb",
    settings: [],
    facts: [
      {
        says: `a target that is deregistered gets new ${name === "alb" ? "requests" : "connections"} for ${
          lag === undefined ? "5 to 20 s more, which operators report and nobody promises" : "as long as --lag says"
        }, and is drained for 300 s (deregistration_delay.timeout_seconds)`,
        source: `${guide}/edit-target-group-attributes.html`
      },
      ...facts
    ]
  }
}

const google = (supervisor: SupervisorName, lag: number | undefined): Omit<KnownBalancer, "title"> => {
  const isTold = supervisors[supervisor].tellsBalancer
  return {
    balancer: {
      ...layer7,
      idleTimeout: 600_000,
      views: 4,
      learns: isTold ? told(5000, 40_000, lag) : checks(5000, 2, 2)
    },
    sendsFor: isTold ? lag ?? 40_000 : 17_000,
    sendsToTheEnd: false,
    settings: [],
    facts: [
      isTold
        ? {
          says: `an endpoint that is removed gets requests for ${
            lag === undefined ? "up to 40 s more, as its guide assumes" : "as long as --lag says"
          }`,
          source: "https://cloud.google.com/kubernetes-engine/docs/how-to/container-native-load-balancing"
        }
        : {
          says: "2 health checks fail, 5 s apart, within 5 s each",
          source: "https://cloud.google.com/load-balancing/docs/health-check-concepts"
        },
      {
        says: "it keeps a connection to a server for 600 s; that it tries requests again is not counted on",
        source: "https://cloud.google.com/load-balancing/docs/https#timeouts_and_retries"
      },
      ...(isTold ? [] : [readiness])
    ]
  }
}

/** In a cluster, HAProxy and nginx are ingress controllers, and are told of endpoints. */
const ingress = (lag: number | undefined, tries: Fact): Omit<KnownBalancer, "title"> => ({
  balancer: { ...layer7, views: 2, idleTimeout: 60_000, retries: 3, learns: told(200, 3000, lag) },
  sendsFor: lag ?? 3000,
  sendsToTheEnd: false,
  settings: [],
  facts: [
    {
      says:
        "it is an ingress controller. That it sends to a pod for up to 3 s after its endpoint was removed is assumed"
    },
    tries
  ]
})

const haproxy = (supervisor: SupervisorName, lag: number | undefined): Omit<KnownBalancer, "title"> => {
  if (supervisors[supervisor].tellsBalancer) {
    return ingress(lag, {
      says: "it tries other pods where a connection is refused (retries 3, option redispatch)",
      source: "https://docs.haproxy.org/2.6/configuration.html#4-option%20redispatch"
    })
  }
  return {
    balancer: {
      ...layer7,
      roundTrip: sameMachine,
      views: 1,
      idleTimeout: 5000,
      retries: 3,
      learns: checks(2000, 3, 2)
    },
    sendsFor: 8000,
    sendsToTheEnd: false,
    settings: ["retries 3, retry-on conn-failure and option redispatch 1 (examples/deploy/haproxy.cfg)"],
    facts: [
      {
        says:
          "3 checks fail, 2 s apart (inter 2s fall 3 rise 2), or the instance refuses a connection and another one is "
          + "tried (retries 3, option redispatch 1)",
        source: "https://docs.haproxy.org/2.6/configuration.html#5.2-inter"
      },
      {
        says:
          "it purges connections that it does not need after 5 s (pool-purge-delay), and sends no request a second time",
        source: "https://docs.haproxy.org/2.6/configuration.html#pool-purge-delay"
      },
      readiness
    ]
  }
}

const nginx = (supervisor: SupervisorName, lag: number | undefined): Omit<KnownBalancer, "title"> => {
  if (supervisors[supervisor].tellsBalancer) {
    return ingress(lag, {
      says: "it tries other pods where a connection is refused (proxy-next-upstream error timeout, 3 tries)",
      source: "https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap/#proxy-next-upstream"
    })
  }
  return {
    balancer: {
      ...layer7,
      roundTrip: sameMachine,
      views: 2,
      idleTimeout: 60_000,
      retries: Number.POSITIVE_INFINITY,
      resendsGet: true,
      learns: { _tag: "Refused", failTimeout: 10_000 }
    },
    sendsFor: 0,
    sendsToTheEnd: true,
    settings: [],
    facts: [
      {
        says:
          "it asks nobody. A request that fails makes it leave the instance for 10 s (max_fails=1 fail_timeout=10s), "
          + "each of 2 workers for itself",
        source: "https://nginx.org/en/docs/http/ngx_http_upstream_module.html#max_fails"
      },
      {
        says: "a connection that is refused is tried elsewhere, and so is a GET that was not answered, but no POST "
          + "(proxy_next_upstream error timeout)",
        source: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_next_upstream"
      },
      {
        says: "it keeps a connection for 60 s (keepalive_timeout of the upstream)",
        source: "https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive_timeout"
      }
    ]
  }
}

const titles: Readonly<Record<BalancerName, string>> = {
  kubernetes: "a Service",
  alb: "an ALB",
  nlb: "an NLB",
  google: "a load balancer of Google Cloud",
  haproxy: "HAProxy",
  nginx: "nginx",
  none: "no load balancer"
}

export const balancerOf = (
  name: BalancerName,
  supervisor: SupervisorName,
  lag: number | undefined
): KnownBalancer => {
  const { balancers, tellsBalancer, title } = supervisors[supervisor]
  if (!balancers.includes(name)) {
    throw new InvalidPlan("balancer", name, `with --supervisor ${supervisor}, one of ${balancers.join(", ")}`)
  }
  if (lag !== undefined && !tellsBalancer) {
    throw new InvalidPlan("lag", `${lag}ms`, `${title} tells no balancer that an instance leaves: leave it out`)
  }
  return { title: titles[name], ...known(name, supervisor, lag) }
}

const known = (
  name: BalancerName,
  supervisor: SupervisorName,
  lag: number | undefined
): Omit<KnownBalancer, "title"> => {
  switch (name) {
    case "alb":
    case "nlb":
      return elb(name, supervisor, lag)
    case "google":
      return google(supervisor, lag)
    case "haproxy":
      return haproxy(supervisor, lag)
    case "nginx":
      return nginx(supervisor, lag)
    case "kubernetes":
      return {
        balancer: { ...layer4, idleTimeout: 350_000, views: 10, learns: told(100, 2000, lag) },
        sendsFor: lag ?? 2000,
        sendsToTheEnd: true,
        settings: [],
        facts: [
          {
            says: `each node sends new connections for ${
              lag === undefined ? "up to 2 s, which is assumed," : "as long as --lag says"
            } after the endpoint was removed`
          },
          {
            says: "connections that are open stay where they are",
            source: "https://kubernetes.io/docs/reference/networking/virtual-ips/"
          },
          clients
        ]
      }
    case "none":
      return {
        balancer: { ...layer4, idleTimeout: 350_000, views: 1, learns: { _tag: "Never" } },
        sendsFor: 0,
        sendsToTheEnd: true,
        settings: [],
        facts: [{ says: "clients have the address of an instance, and go nowhere else" }, clients]
      }
  }
}
