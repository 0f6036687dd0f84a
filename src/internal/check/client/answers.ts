/**
 * What a client got, as facts and in words.
 */
import type { Client, Ending } from "./client.js"
import { saysClose } from "./responses.js"

export type Answer =
  | { readonly _tag: "Whole"; readonly status: number; readonly close: boolean }
  | { readonly _tag: "Cut"; readonly status: number; readonly bytes: number; readonly ending: Ending }
  | { readonly _tag: "None"; readonly ending: Ending }

/** The nth answer of a client, counted from 1. */
export const answerOf = (client: Client, nth = 1): Answer => {
  const response = client.reader.responses[nth - 1]
  if (response === undefined) return { _tag: "None", ending: client.ending }
  if (response.complete) return { _tag: "Whole", status: response.status, close: saysClose(response) }
  return { _tag: "Cut", status: response.status, bytes: response.bodyBytes, ending: client.ending }
}

/** It is the answer that the client gets at any other time. */
export const isKept = (answer: Answer, status: number): boolean => answer._tag === "Whole" && answer.status === status

const endings: Readonly<Record<Ending, string>> = {
  open: "the connection stayed open",
  fin: "the connection was closed",
  reset: "the connection was reset",
  refused: "the connection was refused"
}

export const describe = (answer: Answer): string => {
  switch (answer._tag) {
    case "Whole":
      return `answered ${answer.status}${answer.close ? ", with Connection: close" : ""}`
    case "Cut":
      return `${answer.status}, cut after ${answer.bytes} bytes: ${endings[answer.ending]}`
    case "None":
      return `no answer: ${endings[answer.ending]}`
  }
}

/** How many are kept of how many. */
export const tally = (answers: ReadonlyArray<Answer>, status: number) => {
  const bad = answers.filter((answer) => !isKept(answer, status))
  return { all: answers.length, lost: bad.length, first: bad[0] }
}
