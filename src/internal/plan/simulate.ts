/**
 * A rolling deploy, event by event. Only what can be lost is played: the requests that are sent to an instance from shortly
 * before its signal until nobody sends to it any more, or it is back. That is exact, since requests come independently of
 * each other: those that one instance gets are a Poisson process of their own, and an instance that nobody stops answers
 * each of them. Where in a lame duck nothing depends on requests that are answered before its end, they are counted and not
 * played.
 */
import { EventQueue } from "./eventQueue.js"
import { type Connection, type InFlight, Instance } from "./instance.js"
import type { Fleet, Lost, Outcome, RequestClass } from "./model.js"
import { type Random, seeded } from "./random.js"
import { makeViews, sendingMillis, type Views } from "./views.js"

/** An instance is played for so long before its signal, so that it has the connections of one that has run for long. */
const warmUp = 2000

/** A client with a connection of its own sends a request so often. */
const clientInterval = 1000

interface Request {
  readonly of: Restart
  readonly view: number
  readonly duration: number
  readonly isGet: boolean
  tries: number
}

/** Where clients have connections of their own. */
interface Client {
  readonly view: number
  connection: Connection | undefined
  isWaiting: boolean
}

const nothing = () => {}

const opened = (at: number): Connection => ({ idleSince: at, closedAt: Number.POSITIVE_INFINITY })

class Restart {
  readonly signalAt: number
  readonly instance: Instance
  readonly views: Views
  lost = 0
  isBack = false

  constructor(signalAt: number, instance: Instance, views: Views) {
    this.signalAt = signalAt
    this.instance = instance
    this.views = views
  }
}

class Simulation {
  readonly #fleet: Fleet
  readonly #random: Random
  #queue = new EventQueue()
  readonly #restarts: Array<Restart> = []
  /** Those that somebody may still send to. */
  readonly #leaving: Array<Restart> = []
  /** Instances that nobody stops. */
  #serving: number
  #sent = 0
  #answered = 0
  readonly #lost = { refused: 0, crossed: 0, cut: 0 }
  #duration = 0
  #slowestStop = 0
  #killed = 0

  constructor(fleet: Fleet, seed: number) {
    this.#fleet = fleet
    this.#random = seeded(seed)
    this.#serving = fleet.instances
  }

  run(): Outcome {
    const { rollout } = this.#fleet
    if (rollout._tag === "Replace") this.#replace(0, this.#fleet.instances)
    else this.#restartInPlace(0, this.#fleet.instances)
    this.#queue.run()
    const lost: Lost = { ...this.#lost }
    return {
      sent: this.#sent,
      answered: this.#answered,
      lost,
      lostByRestart: this.#restarts.map(({ lost }) => lost),
      duration: this.#duration,
      slowestStop: this.#slowestStop,
      killed: this.#killed
    }
  }

  #replace(at: number, left: number): void {
    const count = Math.min(this.#fleet.rollout.atOnce, left)
    this.#queue.add(at + this.#fleet.startTime, (at) => {
      this.#ends(at)
      this.#serving += count
      for (let nth = 0; nth < count; nth++) this.#stopForGood(at)
      if (left > count) this.#replace(at, left - count)
    })
  }

  /** Where no request goes to a second instance, each stop is played to its end, which is many times as fast. */
  #stopForGood(at: number): void {
    if (this.#fleet.balancer.retries > 0) return this.#stop(at, nothing)
    const queue = this.#queue
    this.#queue = new EventQueue()
    this.#stop(at, nothing)
    this.#queue.run()
    this.#queue = queue
  }

  #restartInPlace(at: number, left: number): void {
    const { rollout, startTime } = this.#fleet
    const count = Math.min(rollout.atOnce, left)
    let away = count
    let nextAt = at
    const onEnd = (restart: Restart, at: number) =>
      this.#queue.add(at + startTime, (at) => {
        restart.instance.restarted()
        restart.isBack = true
        nextAt = Math.max(nextAt, restart.views.ready(at))
        this.#ends(at)
        this.#forget(restart)
        this.#serving++
        if (--away > 0 || left === count) return
        this.#queue.add(nextAt + (rollout._tag === "InPlace" ? rollout.pause : 0), (at) => {
          this.#restartInPlace(at, left - count)
        })
      })
    for (let nth = 0; nth < count; nth++) this.#stop(at, onEnd)
  }

  /** Whoever balances the load may be told before the instance gets its signal. */
  #stop(at: number, onEnd: (restart: Restart, at: number) => void): void {
    const { balancer: { learns, views: count } } = this.#fleet
    const signalAt = at + (learns._tag === "Told" ? learns.before : 0)
    const views = makeViews(learns, count, at, this.#random)
    const instance = new Instance(this.#fleet, this.#queue, {
      onNotReady: (at) => views.notReady(at),
      onEnd: (at, wasKilled) => {
        this.#slowestStop = Math.max(this.#slowestStop, at - signalAt)
        if (wasKilled) this.#killed++
        this.#ends(at)
        onEnd(restart, at)
      }
    })
    const restart = new Restart(signalAt, instance, views)
    this.#restarts.push(restart)
    this.#leaving.push(restart)
    this.#serving--
    if (learns._tag === "Told") this.#queue.add(views.leftAt(), () => this.#forget(restart))
    this.#startLoad(restart, at)
    this.#queue.add(signalAt, (at) => instance.signal(at))
  }

  #ends(at: number): void {
    this.#duration = Math.max(this.#duration, at)
  }

  #forget(restart: Restart): void {
    const nth = this.#leaving.indexOf(restart)
    if (nth >= 0) this.#leaving.splice(nth, 1)
  }

  /** The requests a millisecond that one instance gets, of those that are sent to. */
  #rate(at: number): number {
    return this.#fleet.load.perSecond / 1000 / (this.#fleet.instances + this.#surplus(at))
  }

  /** How many old instances are expected to be sent to, beside as many new ones that have taken their place. */
  #surplus(at: number): number {
    const { balancer: { learns }, instances, rollout: { _tag, atOnce }, startTime } = this.#fleet
    if (_tag === "InPlace" || learns._tag !== "Told") return 0
    const { least, most } = learns
    const last = Math.min(Math.floor(at / startTime), Math.ceil(instances / atOnce))
    let surplus = 0
    for (let nth = last; nth > 0 && at < nth * startTime + most; nth--) {
      const gone = most > least ? (at - nth * startTime - least) / (most - least) : 0
      surplus += Math.min(atOnce, instances - (nth - 1) * atOnce) * Math.min(1, 1 - gone)
    }
    return surplus
  }

  #startLoad(restart: Restart, at: number): void {
    const { balancer, load: { classes, freshShare } } = this.#fleet
    const ownConnections = balancer.connections === "clients"
    const [typical] = classes
    for (const requests of classes) {
      // what takes long is sent on a connection of its own
      const share = requests.share * (ownConnections && requests === typical ? freshShare : 1)
      this.#next(restart, requests, share, at - Math.max(warmUp, requests.longest))
    }
    if (!ownConnections || typical === undefined) return
    const { signalAt } = restart
    const rate = this.#rate(at) * typical.share * (1 - freshShare)
    const clients = Math.ceil(rate * clientInterval)
    for (let nth = 0; nth < clients; nth++) {
      const client: Client = {
        view: this.#random.below(balancer.views),
        connection: restart.instance.accepted(signalAt - warmUp),
        isWaiting: false
      }
      this.#nextOfClient(restart, client, typical, rate / clients, signalAt - warmUp)
    }
  }

  /** Requests of one kind, one after the other. */
  #next(restart: Restart, requests: RequestClass, share: number, from: number): void {
    const rate = this.#rate(from) * share
    const quietUntil = this.#quietUntil(restart, requests, from)
    if (quietUntil > from) {
      const sending = sendingMillis(restart.views, this.#fleet.balancer.views, from, quietUntil)
      const count = this.#random.count(rate * sending)
      this.#sent += count
      this.#answered += count
    }
    const at = Math.max(from, quietUntil) + this.#random.gap(rate)
    if (at >= restart.views.leftAt()) return
    this.#queue.add(at, (at) => {
      if (restart.isBack) return
      const view = this.#random.below(this.#fleet.balancer.views)
      // it goes to another instance otherwise
      if (restart.views.sends(view, at)) this.#send(this.#request(restart, view, requests), restart, at)
      this.#next(restart, requests, share, at)
    })
  }

  #quietUntil({ instance, signalAt }: Restart, { longest }: RequestClass, at: number): number {
    const { balancer, grace, stop } = this.#fleet
    if (at < signalAt) return at
    if (stop._tag === "Ignore") return signalAt + grace - Math.max(warmUp, longest)
    if (stop._tag !== "Drain" || balancer.connections === "clients" || !instance.isQuietLameDuck) return at
    return signalAt + stop.policy.lameDuck - longest
  }

  #request(of: Restart, view: number, { sample }: RequestClass): Request {
    this.#sent++
    return {
      of,
      view,
      duration: sample(this.#random),
      isGet: this.#random.next() < this.#fleet.load.getShare,
      tries: 0
    }
  }

  /** On a connection that the balancer keeps, if it has one. */
  #send(request: Request, to: Restart, at: number): void {
    if (this.#fleet.balancer.connections === "clients") return this.#connect(request, to, undefined, at, nothing)
    const connection = to.instance.take(at)
    if (connection === "Crossed") return this.#failed(request, to, "crossed", at)
    if (connection !== undefined) return this.#serve(request, to, connection, at, nothing)
    return this.#connect(request, to, opened(at), at, nothing)
  }

  #connect(
    request: Request,
    to: Restart,
    connection: Connection | undefined,
    at: number,
    onDone: (isKept: boolean) => void
  ): void {
    if (to.instance.isListening) return this.#serve(request, to, connection, at, onDone)
    onDone(false)
    this.#failed(request, to, "refused", at)
  }

  #serve(
    request: Request,
    by: Restart,
    connection: Connection | undefined,
    at: number,
    onDone: (isKept: boolean) => void
  ): void {
    const { instance } = by
    let isCut = false
    const inFlight: InFlight = {
      onCut: (at) => {
        isCut = true
        onDone(false)
        this.#failed(request, by, "cut", at)
      }
    }
    instance.begin(inFlight, at)
    this.#queue.add(at + request.duration, (at) => {
      if (isCut || instance.isDying) return
      this.#answered++
      onDone(instance.answered(inFlight, connection, at))
    })
  }

  #failed(request: Request, at: Restart, how: keyof Lost, time: number): void {
    at.views.failed(request.view, time)
    const { balancer: { resendsGet, retries }, instances } = this.#fleet
    const tries = Math.min(retries, instances - 1)
    if ((how === "refused" || (resendsGet && request.isGet)) && request.tries < tries) {
      request.tries++
      const other = this.#other(request, at, time)
      if (other === "Serving") {
        this.#answered++
        return
      }
      if (other !== undefined) return this.#send(request, other, time)
    }
    this.#lost[how]++
    request.of.lost++
  }

  /** Another instance that the balancer sends to. */
  #other({ view }: Request, than: Restart, at: number): Restart | "Serving" | undefined {
    const others = this.#serving + this.#leaving.length
    for (let draw = 0; draw < 100; draw++) {
      const other = this.#leaving[this.#random.below(others)]
      if (other === undefined) return this.#serving > 0 ? "Serving" : undefined
      if (other !== than && other.views.sends(view, at)) return other
    }
    return undefined
  }

  #nextOfClient(restart: Restart, client: Client, requests: RequestClass, rate: number, from: number): void {
    this.#queue.add(from + this.#random.gap(rate), (at) => {
      if (restart.isBack) return
      if (!client.isWaiting && !this.#sendOf(restart, client, requests, at)) return
      this.#nextOfClient(restart, client, requests, rate, at)
    })
  }

  /** Whether the client stays with this instance. */
  #sendOf(restart: Restart, client: Client, requests: RequestClass, at: number): boolean {
    const { connection } = client
    const state = connection === undefined ? "Closed" : restart.instance.takeOwn(connection, at)
    const onDone = (isKept: boolean) => {
      client.isWaiting = false
      if (!isKept) client.connection = undefined
    }
    if (state === "Open") {
      client.isWaiting = true
      this.#serve(this.#request(restart, client.view, requests), restart, connection, at, onDone)
      return true
    }
    client.connection = undefined
    if (state === "Crossed") {
      this.#failed(this.#request(restart, client.view, requests), restart, "crossed", at)
      return true
    }
    if (!this.#comesBack(restart, client.view, at)) return false
    client.isWaiting = true
    client.connection = opened(at)
    this.#connect(this.#request(restart, client.view, requests), restart, client.connection, at, onDone)
    return true
  }

  /** A client that connects again is sent to any instance, and to this one too where the balancer still does so. */
  #comesBack({ views }: Restart, view: number, at: number): boolean {
    if (this.#fleet.balancer.learns._tag === "Never") return true
    return views.sends(view, at) && this.#random.below(Math.max(1, this.#serving + this.#leaving.length)) === 0
  }
}

/** The same seed tells the same story. */
export const simulate = (fleet: Fleet, seed: number): Outcome => new Simulation(fleet, seed).run()
