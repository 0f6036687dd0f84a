import { Shutdown } from "../../../src/index.js"
import { proxyNames } from "../../e2e/rolling/proxy.js"
import { roll } from "../../e2e/rolling/rolling.js"
import type { Proof } from "./proof.js"

const restarts = 10

/** How many lines of the proxy's log are told of. */
const told = 5

export const rolling: Proof = {
  what: `orders by POST through ${proxyNames.join(", ")} in turn, over rolling restarts of two instances`,
  unit: "restarts",
  goal: 1000,
  trial: "order",
  step: async (_, nth) => {
    const proxy = proxyNames[nth % proxyNames.length] ?? "haproxy"
    const result = await roll({ proxy, restarts, policy: Shutdown.kubernetes() })
    const { closed, executedAgain, executedUnanswered, failed, posts, proxyErrors, refused, requests, reset } = result
    const how = JSON.stringify({
      ...result.statuses,
      reset,
      closed,
      refused,
      unanswered: result.unanswered,
      lost: result.lost
    })
    const said = proxyErrors.slice(0, told).map((line) => `; ${line}`).join("")
    const exits = result.restarts.filter(({ exit }) => exit.code !== 0).length
    return {
      units: restarts,
      trials: posts,
      failures: [
        ...Array<string>(failed).fill(`a request through ${proxy} failed: ${how}${said}`),
        ...Array<string>(executedUnanswered).fill(
          `an order through ${proxy} was executed, and its client does not know`
        ),
        ...Array<string>(Math.max(0, executedAgain)).fill(`an order through ${proxy} was executed twice`),
        ...Array<string>(exits).fill(`an instance behind ${proxy} did not exit with 0`)
      ],
      counts: { requests, [`orders through ${proxy}`]: posts, [`restarts behind ${proxy}`]: restarts }
    }
  }
}
