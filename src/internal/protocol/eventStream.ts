/**
 * Which answers are event streams for an `EventSource` (HTML Living Standard, "Server-sent events"): the only responses
 * that may end early, for their clients connect again by themselves.
 */

/** The request asks for an event stream, or accepts one, and has nothing but its answer to lose: it can be sent again. */
export const wantsEventStream = (method: string | undefined, accept: string | undefined): boolean =>
  method === "GET" && accepts(accept)

/**
 * RFC 9110 §12.5.1: the most specific media range that matches decides, with its weight; a request without `Accept`
 * accepts anything. An `EventSource` always says `text/event-stream`; curl and `fetch` say that they accept anything.
 */
const accepts = (accept: string | undefined): boolean => {
  if (accept === undefined || accept.trim() === "") return true
  let best = 0
  let weight = 0
  for (const range of accept.split(",")) {
    const [type, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase())
    // Java's URLConnection says `*` for anything
    const specificity = type === eventStream ? 3 : type === "text/*" ? 2 : type === "*/*" || type === "*" ? 1 : 0
    if (specificity === 0 || specificity < best) continue
    const q = weightOf(parameters)
    weight = specificity > best ? q : Math.max(weight, q)
    best = specificity
  }
  return weight > 0
}

const weightOf = (parameters: ReadonlyArray<string>): number => {
  const q = parameters.find((parameter) => /^q\s*=/.test(parameter))
  if (q === undefined) return 1
  const weight = Number(q.slice(q.indexOf("=") + 1))
  return Number.isNaN(weight) ? 1 : weight
}

const eventStream = "text/event-stream"

/** Whether a content type is that of event streams, whatever its parameters. */
export const isEventStream = (contentType: unknown): boolean => {
  const value: unknown = Array.isArray(contentType) ? contentType[0] : contentType
  return typeof value === "string" && value.split(";", 1)[0]?.trim().toLowerCase() === eventStream
}

/** Whether these are the headers of an event stream. One that says how long it is ends by itself. */
export const isEventStreamWith = (headers: Readonly<Record<string, unknown>>): boolean => {
  let isOne = false
  for (const [name, value] of Object.entries(headers)) {
    if (/^content-length$/i.test(name)) return false
    if (/^content-type$/i.test(name)) isOne = isEventStream(value)
  }
  return isOne
}

/** The same of a head as it goes out over HTTP/1.1. */
export const isEventStreamHead = (head: string): boolean =>
  /^content-type:[ \t]*text\/event-stream[ \t]*(?:;|\r?$)/im.test(head) && !/^content-length:/im.test(head)

/** Whether a head says that what follows is encoded. */
export const isEncodedHead = (head: string): boolean => /^content-encoding:[ \t]*(?!identity\b)\S/im.test(head)

/** The event streams of Effect apps: it is their `Stream` that ends, so that its finalizers run. True once it has. */
const byItself = new WeakMap<object, { ended: boolean }>()

/** The `Stream` of this response ends with the drain; what is returned says that it has. */
export const endsWithStream = (response: object): () => void => {
  const stream = { ended: false }
  byItself.set(response, stream)
  return () => {
    stream.ended = true
  }
}

export const endsByItself = (response: object): boolean => byItself.has(response)

export const hasEndedByItself = (response: object): boolean => byItself.get(response)?.ended === true
