/**
 * Whose requests an admin listener answers. A web page can have its own name resolve to this address (DNS rebinding), and
 * then read what a browser on this machine or in this network gets from it: the `Host` is what gives it away.
 */
import * as Net from "node:net"
import * as Os from "node:os"
import { type Page, textPage } from "../model/page.js"

/**
 * Whether a `Host` is a name of this server. An address is: no page can have a browser send it from elsewhere, and
 * probes and scrapers send the address that they were given. One that is missing comes from no browser.
 */
const isOwn = (host: string | undefined, names: ReadonlyArray<string>): boolean => {
  if (host === undefined) return true
  const name = nameOf(host)
  if (name === undefined) return false
  if (Net.isIP(name) > 0) return true
  return names.some((own) => own.startsWith(".") ? name.endsWith(own) || name === own.slice(1) : name === own)
}

/** Without its port, the brackets of an address, and the dot at its end; `undefined` where it is no host. */
const nameOf = (host: string): string | undefined => {
  const [, bracketed, plain] = /^(?:\[([\da-f:.]+)\]|([^\s:/@[\]]+?)\.?)(?::\d*)?$/i.exec(host) ?? []
  return (bracketed ?? plain)?.toLowerCase()
}

/** A program without types may pass anything. */
export const isAllowedHosts = (value: unknown): boolean =>
  value === undefined || value === "all" || (Array.isArray(value) && value.every((name) => typeof name === "string"))

/** Whether a `Host` is a name of this machine, or one of those. */
export const isOwnHost = (allowed: ReadonlyArray<string>): (host: string | undefined) => boolean => {
  const names = ["localhost", ".localhost", Os.hostname(), ...allowed].map((name) => name.toLowerCase())
  return (host) => isOwn(host, names)
}

/** What the others are answered with (RFC 9110, section 7.4). */
export const misdirected: Page = {
  ...textPage(
    421,
    "The Host of this request is no name of the admin listener. Ask by its address or as localhost, or name the host in "
      + "its `allowedHosts`.\n"
  ),
  contentType: "text/plain"
}
