/**
 * The span of a request where nobody may ever look at it: no tracer has been installed, or tracing is off. What is
 * read of it is made when it is first read: the span itself (its ids, its parent), and its attributes, which take longer.
 */
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import type * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import { answered, received, type RedactedNames } from "./attributes.js"

/** How the span is made, once it is needed. */
export interface Later {
  readonly make: (request: HttpServerRequest, startTime: bigint) => Tracer.Span
  readonly now: () => bigint
  readonly redactedNames: RedactedNames
}

interface End {
  readonly at: bigint
  readonly exit: Exit.Exit<HttpServerResponse, unknown>
}

export class RequestSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly #request: HttpServerRequest
  readonly #later: Later
  readonly #startTime: bigint
  #span: Tracer.Span | undefined = undefined
  #hasAttributes = false
  /** Those that were set before anybody looked. */
  #set: Array<readonly [key: string, value: unknown]> | undefined = undefined
  #end: End | undefined = undefined

  constructor(request: HttpServerRequest, later: Later) {
    this.#request = request
    this.#later = later
    this.#startTime = later.now()
    // a socket that has closed knows it only if it was asked before
    void request.remoteAddress
  }

  /** Nobody has looked at it so far. */
  get unseen(): boolean {
    return this.#span === undefined
  }

  get name(): string {
    return this.#own().name
  }
  get spanId(): string {
    return this.#own().spanId
  }
  get traceId(): string {
    return this.#own().traceId
  }
  get sampled(): boolean {
    return this.#own().sampled
  }
  get kind(): Tracer.SpanKind {
    return this.#own().kind
  }
  get parent(): Option.Option<Tracer.AnySpan> {
    return this.#own().parent
  }
  get context(): Context.Context<never> {
    return this.#own().context
  }
  get status(): Tracer.SpanStatus {
    return this.#own().status
  }
  get links(): ReadonlyArray<Tracer.SpanLink> {
    return this.#own().links
  }
  get attributes(): ReadonlyMap<string, unknown> {
    return this.#whole().attributes
  }
  /** Effect's own spans have them, although the interface does not say so. */
  get events(): unknown {
    return (this.#own() as { readonly events?: unknown }).events
  }
  /** The same. */
  get startTime(): unknown {
    return (this.#own() as { readonly startTime?: unknown }).startTime
  }

  attribute(key: string, value: unknown): void {
    if (this.#span !== undefined && this.#hasAttributes) this.#span.attribute(key, value)
    else (this.#set ??= []).push([key, value])
  }
  event(name: string, startTime: bigint, attributes?: Record<string, unknown>): void {
    this.#own().event(name, startTime, attributes)
  }
  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.#own().addLinks(links)
  }
  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.#own().end(endTime, exit)
  }
  toJSON(): unknown {
    return this.#whole()
  }
  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return this.#whole()
  }

  /** The request has been answered. */
  finish(exit: Exit.Exit<HttpServerResponse, unknown>): void {
    this.#end = { at: this.#later.now(), exit }
    if (this.#span === undefined) return
    if (this.#hasAttributes) answered(this.#span, exit, this.#later.redactedNames)
    finish(this.#span, this.#end)
  }

  #own(): Tracer.Span {
    if (this.#span !== undefined) return this.#span
    const span = this.#later.make(this.#request, this.#startTime)
    if (this.#end !== undefined) finish(span, this.#end)
    return this.#span = span
  }

  #whole(): Tracer.Span {
    const span = this.#own()
    if (this.#hasAttributes) return span
    this.#hasAttributes = true
    received(span, this.#request, this.#later.redactedNames)
    for (const [key, value] of this.#set ?? []) span.attribute(key, value)
    this.#set = undefined
    if (this.#end !== undefined) answered(span, this.#end.exit, this.#later.redactedNames)
    return span
  }
}

const finish = (span: Tracer.Span, { at, exit }: End): void => {
  if (span.status._tag === "Started") span.end(at, exit)
}
