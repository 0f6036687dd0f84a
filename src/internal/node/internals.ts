/** What Node, or `ws`, keeps on an object under a symbol of its own; `undefined` in a version that does not. */
export const symbolNamed = (owner: object, description: string): unknown => {
  const symbol = Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description)
  return symbol === undefined ? undefined : Reflect.get(owner, symbol)
}
