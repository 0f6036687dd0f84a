/** What serves HTTP, as both lines of Effect have it. */
import type * as PlatformHttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"

export type HttpApp<E = never, R = never> = PlatformHttpApp.Default<E, R>

/** The socket of the current request, which asks for another protocol. */
export const upgraded = HttpServerRequest.upgrade
