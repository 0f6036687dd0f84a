import type { Command } from "../history.js"
import type { World } from "../world.js"
import * as clients from "./clients.js"
import * as hooks from "./hooks.js"
import * as server from "./server.js"

type Play<T extends Command["_tag"]> = (
  world: World,
  command: Extract<Command, { readonly _tag: T }>
) => boolean | Promise<boolean>

const plays: { readonly [T in Command["_tag"]]: Play<T> } = {
  Connect: clients.connect,
  Request: clients.request,
  Rest: clients.rest,
  Pipeline: clients.pipeline,
  Upgrade: clients.upgrade,
  Message: clients.message,
  StopReading: clients.stopReading,
  ReadSome: clients.readSome,
  ReadOn: clients.readOn,
  HalfClose: clients.leave,
  Leave: clients.leave,
  Reset: clients.leave,
  ResetStream: clients.resetStream,
  Ping: clients.ping,
  Finish: server.finish,
  Hook: hooks.register,
  FinishHook: hooks.finish,
  TakeHookBack: hooks.takeBack,
  Open: server.open,
  CloseListener: server.closeListener,
  Advance: server.advance,
  Shutdown: server.shutdown,
  DrainNow: server.drainNow,
  Signal: server.signal,
  Close: server.close
}

/** Does it, if it can be done now; returns whether it could. */
export const play = (world: World, command: Command): boolean | Promise<boolean> => {
  // the compiler does not see that the tag chooses both
  const play = plays[command._tag] as (world: World, command: Command) => boolean | Promise<boolean>
  world.moves++
  return play(world, command)
}
