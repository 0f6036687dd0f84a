/**
 * The admin listener of a program without Effect: a port of its own that is answered until the end, `finally` included.
 * It keeps no process alive: what is waited for does.
 */
import * as Http from "node:http"
import type * as Net from "node:net"
import { isAllowedHosts, isOwnHost, misdirected } from "../admin/hosts.js"
import { asides } from "../listener/asides.js"
import { InvalidPolicy } from "../model/errors.js"
import type { PlainHandler } from "../model/promise.js"
import type { AdminOptions, Options } from "../model/promiseOptions.js"
import { setTimeout } from "../node/timers.js"
import { assertNames } from "../policy/optionNames.js"
import { write } from "./nodePages.js"

export interface AdminListener {
  readonly address: Promise<Net.AddressInfo>
  readonly close: () => void
}

/** Listens there, and says where that is. */
export type Aside = (node: Net.Server, where: { readonly host: string; readonly port: number }) => Promise<
  Net.AddressInfo
>

export type AcceptFailed = (error: Error) => void

const optionNames = Object.keys(
  { actions: 0, allowedHosts: 0, host: 0, port: 0, reasons: 0, showQuery: 0 } satisfies {
    [K in keyof AdminOptions]-?: unknown
  }
)

/** What a program without types may have passed is looked at before anything is touched. */
export const adminOptions = (admin: Options["admin"]): AdminOptions | undefined => {
  if (admin === undefined) return undefined
  const options = portOptions<AdminOptions>("admin", admin, 9000, optionNames)
  const { actions, allowedHosts, reasons, showQuery } = options
  if (!isAllowedHosts(allowedHosts)) {
    throw invalid("admin.allowedHosts", allowedHosts, `"all", or names, such as ["admin.internal"]`)
  }
  for (const [name, value] of Object.entries({ actions, reasons, showQuery })) {
    if (value !== undefined && typeof value !== "boolean") throw invalid(`admin.${name}`, value, "true, or false")
  }
  if (actions === true && allowedHosts === "all") {
    throw invalid(
      "admin.allowedHosts",
      allowedHosts,
      `names, such as ["admin.internal"], with \`actions\`: a page of any other site could use them by DNS rebinding`
    )
  }
  return options
}

/** A port, or options that have one and may have a host. */
export const portOptions = <A extends { readonly port: number; readonly host?: string | undefined }>(
  field: string,
  value: unknown,
  example: number,
  names: ReadonlyArray<string>
): A => {
  const options = (typeof value === "number" ? { port: value } : value) as A | null
  if (typeof options !== "object" || options === null) {
    throw invalid(field, value, `a port, or options: { port: ${example} }`)
  }
  assertNames(field, options, names, ` of \`${field}\``)
  const { host, port } = options
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalid(`${field}.port`, port, "a port, from 0 to 65535")
  }
  if (host !== undefined && typeof host !== "string") throw invalid(`${field}.host`, host, `a text, such as "0.0.0.0"`)
  return options
}

/** How long the last answers may take, in milliseconds. */
const lastAnswers = 1000

const invalid = (field: string, value: unknown, expected: string) => new InvalidPolicy({ field, value, expected })

export const listen = (
  { allowedHosts = [], host = "127.0.0.1", port }: AdminOptions,
  answer: PlainHandler,
  aside: Aside
): AdminListener => {
  const node = adminServer(allowedHosts === "all" ? "all" : [host, ...allowedHosts], answer)
  return {
    address: aside(node, { host, port }),
    close: () => {
      node.close()
      node.closeIdleConnections()
      setTimeout(() => node.closeAllConnections(), lastAnswers).unref()
    }
  }
}

/** Answers those who ask by one of these names. */
export const adminServer = (hosts: "all" | ReadonlyArray<string>, answer: PlainHandler): Http.Server => {
  const isOwn = hosts === "all" ? () => true : isOwnHost(hosts)
  return withoutHold(
    Http.createServer((request, response) => {
      if (isOwn(request.headers.host)) answer(request, response)
      else write(response, misdirected)
    })
  )
}

/** It keeps no process alive, and nobody drains it. */
export const withoutHold = <Server extends Net.Server>(node: Server): Server => {
  asides.add(node)
  node.on("connection", (socket) => socket.unref())
  node.unref()
  return node
}

/** Listens by itself. That the system cannot accept a connection ends no process. */
export const alone = (acceptFailed: AcceptFailed): Aside => (node, { host, port }) =>
  new Promise((resolve, reject) => {
    node.once("error", reject)
    node.listen(port, host, () => {
      node.off("error", reject)
      node.on("error", acceptFailed)
      resolve(node.address() as Net.AddressInfo)
    })
  })
