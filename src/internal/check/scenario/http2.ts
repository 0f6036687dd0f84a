/**
 * Sessions of HTTP/2.
 */
import type { Http2Client, Http2Stream } from "../client/http2.js"
import type { Offer, Settings } from "../model.js"
import type { Stage } from "../run/stage.js"
import { pause } from "../wait.js"
import * as Advices from "./advice.js"
import { arrivalMillis } from "./inFlight.js"
import * as Rules from "./rules.js"
import { kept, lost, needsBody, scenario, type Unasked } from "./scenario.js"

const needsHttp2 = (offer: Offer, settings: Settings): Unasked | undefined => {
  if (!settings.h2) return { why: "--h2: it speaks HTTP/2" }
  const why = offer.unusable["h2"]
  return why === undefined ? undefined : { why: `--h2: ${why}`, failed: true }
}

/** A session that has been used. */
const used = async (stage: Stage): Promise<Http2Client> => {
  const client = stage.openHttp2("client")
  await client.opened()
  await client.open(stage.settings.path).answer(5000)
  return client
}

export const goAway = scenario({
  name: "h2-goaway",
  sentence: "an idle session of HTTP/2 gets GOAWAY before its connection closes",
  rule: Rules.goAway,
  advice: Advices.http2,
  speaks: "http2",
  patient: true,
  unasked: needsHttp2,
  clients: async (stage) => {
    const client = await used(stage)
    stage.signal()
    await client.changes.until(() => client.goAway !== undefined || client.ended, stage.remaining())
    return { goAway: client.goAway, ended: client.ended }
  },
  judge: ({ ended, goAway }) => {
    if (goAway === undefined) return lost(ended ? "closed without GOAWAY" : "no GOAWAY, and the connection stayed open")
    return goAway.code === 0 ? kept("GOAWAY came") : lost(`GOAWAY came with error code ${goAway.code}`)
  }
})

export const streamInFlight = scenario({
  name: "h2-in-flight",
  sentence: "half of the body of a stream was sent before the signal, the rest comes after it",
  rule: Rules.goAway,
  advice: Advices.http2,
  speaks: "http2",
  unasked: (offer, settings) => needsHttp2(offer, settings) ?? needsBody(offer, settings),
  clients: async (stage) => {
    const client = await used(stage)
    const stream = client.open(stage.settings.post ?? stage.settings.path, stage.offer.post)
    await pause(arrivalMillis)
    stage.signal()
    await stage.reaction()
    stream.finish()
    return stream.answer(stage.remaining())
  },
  judge: (answer) => {
    if (answer._tag === "Whole") {
      return answer.status < 500
        ? kept(`answered ${answer.status}`)
        : lost(`answered ${answer.status}`)
    }
    return lost(answer._tag === "Refused" ? "refused, although it had begun before the signal" : answer.saw)
  }
})

const crossings = 60

export const streamsCross = scenario({
  name: "h2-crossing",
  sentence: "streams that are opened around the signal are answered, or refused so that the client may send them again",
  rule: Rules.streamsUnprocessed,
  advice: Advices.http2,
  speaks: "http2",
  alone: true,
  unasked: needsHttp2,
  clients: async (stage) => {
    const client = await used(stage)
    const streams: Array<Http2Stream> = []
    for (let n = 0; n < crossings && client.isOpen; n++) {
      if (n === 10) stage.signal()
      streams.push(client.open(stage.settings.path))
      await pause(1)
    }
    return Promise.all(streams.map((stream) => stream.answer(stage.remaining())))
  },
  judge: (answers, offer) => {
    const bad = answers.flatMap((answer) => {
      if (answer._tag === "Lost") return [answer.saw]
      return answer._tag === "Whole" && answer.status !== offer.status ? [`answered ${answer.status}`] : []
    })
    const refused = answers.filter(({ _tag }) => _tag === "Refused").length
    if (bad[0] !== undefined) return lost(`${bad.length} of ${answers.length} lost: ${bad[0]}`)
    return kept(`${answers.length - refused} answered${refused === 0 ? "" : `, ${refused} refused`}`)
  }
})
