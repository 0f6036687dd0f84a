/**
 * Drains the servers of a program that was not written for it, without a line of code:
 *
 * ```sh
 * node --import quiesce/register server.js
 * ```
 *
 * Whatever the program listens with is taken over, whoever has made it: `http`, `https`, `http2`, `net`, `tls`, and the
 * frameworks on them. On SIGTERM and SIGINT the process stops accepting, and gives every request in flight its whole
 * response. After that the program's own listeners for the signal run; where it has none, the process ends, with exit
 * code 0, or with 1 if requests had to be cut.
 *
 * The policy comes from the environment, by the names of `Shutdown.config` (`SHUTDOWN_TIMEOUT`, …). `QUIESCE=off` turns
 * all of it off. `SHUTDOWN_ADMIN_PORT` (or `SHUTDOWN_ADMIN_PATH`) starts the admin listener, and
 * `SHUTDOWN_AGENT_CHECK_PORT` HAProxy's agent check. systemd and PM2 are told that the first server listens and that a
 * shutdown begins, where they want to know, unless `SHUTDOWN_NOTIFY` is `false`.
 *
 * **Gotchas**
 *
 * - Importing it is all that it does: it exports nothing. A program that can be changed is better off with
 *   `quiesce/promise`, or with the server of its framework passed to it.
 * - A server that the program itself has passed to `quiesce` is left alone.
 * - Nothing is installed before a server listens: no listener, no timer, no line of a log. So it may be in
 *   `NODE_OPTIONS`, for processes that have no server at all.
 * - A value of a `SHUTDOWN_` variable that cannot be is said on stderr, and ends the process with exit code 1 before it
 *   has accepted a connection.
 *
 * @since 0.3.0
 * @module
 */
import { register } from "./internal/register/register.js"

register()
