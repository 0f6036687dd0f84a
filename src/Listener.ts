/**
 * A listener: one bound socket of a server (TCP, Unix, or a descriptor that was inherited).
 *
 * Closing the scope in which it was opened closes this listener alone; the connections that it accepted are served
 * on by their server, as are its other listeners ([Go rules B5, B6](../docs/go-rules.md#b-listeners)).
 *
 * @since 0.1.0
 * @module
 */

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Tls from "node:tls"
import * as Line from "./internal/log/line.js"
import { type Address, type Listener, ListenError, type NodeServer, type Options } from "./internal/model/listener.js"

export { ListenError }
export type { Address, Listener, NodeServer, Options }

/**
 * Renews the certificate of a TLS server while it serves: each element of `contexts` is what new connections are
 * greeted with from then on (`tls.Server#setSecureContext`); those that are open keep what they have. It goes on until
 * the scope closes. An element that Node refuses, as a key that does not fit its certificate, is logged, and the
 * previous one stays in use; so it does when the stream ends or fails, which is logged as well.
 *
 * **Example**
 *
 * ```ts
 * import { FileSystem } from "@effect/platform"
 * import { Effect, Stream } from "effect"
 * import { Listener } from "quiesce"
 * import { createServer } from "node:https"
 *
 * const files = Effect.gen(function*() {
 *   const fs = yield* FileSystem.FileSystem
 *   const [key, cert] = yield* Effect.all([fs.readFileString("tls/key.pem"), fs.readFileString("tls/cert.pem")])
 *   return { key, cert }
 * })
 *
 * // reads them again whenever something in their directory has changed, and then been left alone for a second
 * const renewed = FileSystem.FileSystem.pipe(
 *   Effect.map((fs) => fs.watch("tls")),
 *   Stream.unwrap,
 *   Stream.debounce("1 second"),
 *   Stream.mapEffect(() => files)
 * )
 *
 * const server = Effect.tap(
 *   Effect.map(files, (options) => createServer(options)),
 *   (server) => Listener.renewCertificate(server, renewed)
 * )
 * ```
 *
 * @since 0.1.0
 * @category tls
 */
export const renewCertificate = <E, R>(
  server: Pick<Tls.Server, "setSecureContext">,
  contexts: Stream.Stream<Tls.SecureContextOptions, E, R>
): Effect.Effect<void, never, R | Scope.Scope> =>
  contexts.pipe(
    Stream.runForEach((context) =>
      Effect.try({ try: () => server.setSecureContext(context), catch: (error) => ({ error }) }).pipe(
        Effect.zipRight(Line.info("The certificate has been renewed")),
        Effect.catchAll(({ error }) =>
          Line.error("The new certificate cannot be used; the previous one stays in use", {}, error)
        )
      )
    ),
    Effect.catchAllCause((cause) =>
      Line.error("No certificate will be renewed any more: what brings the new ones has failed", {}, cause)
    ),
    Effect.forkScoped,
    Effect.asVoid
  )
