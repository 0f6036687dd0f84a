/**
 * Commands as they are typed.
 */

const shell: ReadonlyArray<string> = ["/bin/sh", "-c"]
const exec = "exec "

/** A command with words and quotes, for a shell. With exec, the signal reaches the server. */
export const inShell = (command: string): ReadonlyArray<string> => [...shell, `${exec}${command}`]

const word = (part: string): string => /^[\w%+,./:=@{}-]+$/.test(part) ? part : `'${part.replaceAll("'", `'\\''`)}'`

/** What to type for it. */
export const commandLine = (command: ReadonlyArray<string>): string => {
  const [program, option, text = "", ...more] = command
  const isOurs = program === shell[0] && option === shell[1] && text.startsWith(exec) && more.length === 0
  return isOurs ? text.slice(exec.length) : command.map(word).join(" ")
}
