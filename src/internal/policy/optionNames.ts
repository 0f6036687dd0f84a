/**
 * The names of options. One that nobody reads is a typing error: it would be a policy that is not in force.
 */
import * as Effect from "effect/Effect"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import { InvalidPolicy } from "../model/errors.js"
import type { Options as ListenOptions } from "../model/listener.js"
import type { Policy, WebSocketPolicy } from "../model/policy.js"

type NamesOf<A> = { readonly [K in keyof A]-?: true }

export const policyNames: ReadonlyArray<string> = Object.keys(
  {
    lameDuck: true,
    timeout: true,
    killTimeout: true,
    newConnectionGrace: true,
    idleGrace: true,
    endEventStreams: true,
    eventStreamRetry: true,
    spread: true,
    webSocket: true,
    pollSchedule: true
  } satisfies NamesOf<Policy>
)

export const webSocketNames: ReadonlyArray<string> = Object.keys(
  { code: true, reason: true, message: true, grace: true } satisfies NamesOf<WebSocketPolicy>
)

/** Node's own for `net.Server#listen`, of every version: `reusePort` came in Node 23. */
export const listenNames: ReadonlyArray<string> = [
  ...Object.keys(
    {
      port: true,
      host: true,
      path: true,
      fd: true,
      backlog: true,
      exclusive: true,
      ipv6Only: true,
      readableAll: true,
      signal: true,
      writableAll: true
    } satisfies NamesOf<ListenOptions>
  ),
  "reusePort"
]

/** Of `net.createServer`. `blockList` came in Node 22. */
export const socketNames: ReadonlyArray<string> = [
  ...Object.keys(
    {
      allowHalfOpen: true,
      highWaterMark: true,
      keepAlive: true,
      keepAliveInitialDelay: true,
      noDelay: true,
      pauseOnConnect: true
    } satisfies NamesOf<Net.ServerOpts>
  ),
  "blockList"
]

/** Of `tls.createServer`, beside those of `net.createServer`. */
export const tlsNames: ReadonlyArray<string> = Object.keys(
  {
    ALPNCallback: true,
    ALPNProtocols: true,
    SNICallback: true,
    allowPartialTrustChain: true,
    ca: true,
    cert: true,
    ciphers: true,
    clientCertEngine: true,
    crl: true,
    dhparam: true,
    ecdhCurve: true,
    enableTrace: true,
    handshakeTimeout: true,
    honorCipherOrder: true,
    key: true,
    maxVersion: true,
    minVersion: true,
    passphrase: true,
    pfx: true,
    privateKeyEngine: true,
    privateKeyIdentifier: true,
    pskCallback: true,
    pskIdentityHint: true,
    rejectUnauthorized: true,
    requestCert: true,
    secureContext: true,
    secureOptions: true,
    secureProtocol: true,
    sessionIdContext: true,
    sessionTimeout: true,
    sigalgs: true,
    ticketKeys: true
  } satisfies NamesOf<Omit<Tls.TlsOptions, keyof Net.ServerOpts>>
)

/** How many letters may be wrong in a name for it to be taken for another one, where names may be somebody else's. */
const slips = 2

/** The first option that is not among `known`. */
export const unknownOption = (options: object, known: ReadonlyArray<string>) =>
  Object.entries(options).map(([name, value]) => ({ name, value })).find(({ name }) => !known.includes(name))

/** What is of a class, such as a `Date` or a `Map`, is no object of options, unless it has some. */
const isOptions = (options: unknown): options is object => {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return false
  const prototype: unknown = Object.getPrototypeOf(options)
  // that of another realm has none either
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null
  return isPlain || Object.keys(options).length > 0
}

/** The first name of `options` that is not among `known`, as an error with the nearest names. */
export const wrongName = (
  field: string,
  options: unknown,
  known: ReadonlyArray<string>,
  of = ""
): InvalidPolicy | undefined => {
  if (!isOptions(options)) {
    return new InvalidPolicy({
      field,
      value: options,
      expected: `an object of options, such as { ${known[0] ?? "timeout"}: … }`
    })
  }
  const wrong = unknownOption(options, known)
  return wrong && new InvalidPolicy({
    field: `${wrong.name}${of}`,
    value: wrong.value,
    expected: `left out, as there is no such option${suggestion(wrong.name, known)}`
  })
}

/** Like {@link wrongName}, where a library of somebody else's has options in the same object, and more in each version. */
export const wrongNameAmongOthers = (options: object, known: ReadonlyArray<string>): InvalidPolicy | undefined => {
  const slip = Object.entries(options).find(([name]) => !known.includes(name) && slipOf(name, known) !== undefined)
  return slip === undefined ? undefined : wrongName("options", Object.fromEntries([slip]), known)
}

/** The name that is meant by one that is not known, as far as can be told. */
export const slipOf = (name: string, known: ReadonlyArray<string>): string | undefined =>
  nearest(name, known).slice(0, 1).find((other) => distance(name.toLowerCase(), other.toLowerCase()) <= slips)

/** For the text of an error: the name that is meant, if it is clear, and all that there are. */
export const suggestion = (name: string, known: ReadonlyArray<string>): string => {
  const [first, ...rest] = nearest(name, known)
  if (first === undefined) return ""
  const meant = slipOf(name, known)
  const all = [first, ...rest].join(", ")
  return meant === undefined ? `; there is ${all}` : `: did you mean "${meant}"? There is ${all}`
}

/** Fails with {@link wrongName}. */
export const checkNames = (
  field: string,
  options: unknown,
  known: ReadonlyArray<string>,
  of?: string
): Effect.Effect<void, InvalidPolicy> => Effect.suspend(() => wrongName(field, options, known, of) ?? Effect.void)

/** Throws {@link wrongName}. */
export const assertNames = (field: string, options: unknown, known: ReadonlyArray<string>, of?: string): void => {
  const problem = wrongName(field, options, known, of)
  if (problem !== undefined) throw problem
}

/** Those of `names` alone. */
export const only = <A extends object>(options: A, names: ReadonlyArray<string>): Partial<A> =>
  Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name))) as Partial<A>

/** The same options without those of `names`. */
export const without = <A extends object>(options: A, names: ReadonlyArray<string>): Partial<A> =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name))) as Partial<A>

/** The nearest first. */
export const nearest = (name: string, known: ReadonlyArray<string>): ReadonlyArray<string> =>
  known
    .map((other) => ({ other, away: distance(name.toLowerCase(), other.toLowerCase()) }))
    .sort((a, b) => a.away - b.away)
    .map(({ other }) => other)

/** How many letters have to be typed, left out or replaced to make `b` of `a` (Levenshtein). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === b[j] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
