import { setTimeout } from "node:timers/promises"

export const dynamic = "force-dynamic"

export const GET = async () => {
  await setTimeout(1000)
  return new Response("hello\n")
}
