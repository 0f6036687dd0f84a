/** For the program of a child process: prints one line, which `child.ts` reads. */
export const printEvent = (event: string, fields: object = {}): void =>
  console.log(JSON.stringify({ event, ...fields }))
