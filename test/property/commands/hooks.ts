/** What is registered with `onShutdown`, finishes, and is taken back. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { HookFact } from "../facts.js"
import type { Command } from "../history.js"
import { type HookAlive, pick, type World } from "../world.js"

type Of<T extends Command["_tag"]> = Extract<Command, { readonly _tag: T }>

/** How long a slow one takes, in milliseconds of the clock. */
export const slowMillis = 700

export const register = (world: World, { kind, limit }: Of<"Hook">): boolean => {
  if (world.hooks.length >= 8) return false
  const fact: HookFact = {
    name: `hook ${world.hooks.length} ${kind}`,
    kind,
    limit,
    registered: world.moment,
    takenBack: undefined,
    started: [],
    told: undefined
  }
  const hook: HookAlive = { fact, scope: Effect.runSync(Scope.make()), running: false, tell: undefined }
  world.hooks.push(hook)
  const run = Effect.suspend(() => {
    world.moves++
    fact.started.push(world.moment)
    hook.running = true
    return Effect.ensuring(
      work(hook),
      Effect.sync(() => {
        world.moves++
        hook.running = false
      })
    )
  })
  const options = limit === undefined ? {} : { timeout: limit }
  world.run(Scope.extend(world.server.onShutdown(fact.name, run, options), hook.scope))
  return true
}

const work = (hook: HookAlive): Effect.Effect<void, string> => {
  switch (hook.fact.kind) {
    case "quick":
      return Effect.void
    case "fails":
      return Effect.fail("it fails")
    case "dies":
      return Effect.die("it dies")
    case "slow":
      return Effect.sleep(slowMillis)
    case "held":
      return told(hook)
    case "masked":
      return Effect.uninterruptible(told(hook))
  }
}

const told = (hook: HookAlive): Effect.Effect<void, string> =>
  Effect.async<void, string>((resume) => {
    hook.tell = (how) => {
      hook.tell = undefined
      resume(
        how === "succeed" ? Effect.void : how === "fail" ? Effect.fail("told to") : Effect.die("told to")
      )
    }
    return Effect.sync(() => {
      hook.tell = undefined
    })
  })

export const finish = (world: World, { hook: index, how }: Of<"FinishHook">): boolean => {
  const hook = pick(world.hooks.filter(({ tell }) => tell !== undefined), index)
  if (hook?.tell === undefined) return false
  tell(world, hook, how)
  return true
}

export const tell = (world: World, hook: HookAlive, how: "succeed" | "fail" | "die"): void => {
  hook.fact.told = { how, when: world.moment }
  hook.tell?.(how)
}

/** Closes the scope of the registration. */
export const takeBack = (world: World, { hook: index }: Of<"TakeHookBack">): boolean => {
  const hook = pick(world.hooks.filter(({ fact }) => fact.takenBack === undefined), index)
  if (hook === undefined) return false
  hook.fact.takenBack = world.moment
  world.run(Scope.close(hook.scope, Exit.void))
  return true
}
