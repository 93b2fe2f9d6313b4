/** What a plan needs of a list that may be long: an array is one, and so is a list whose items are made when they are asked for. */
export interface Sequence<Item> extends Iterable<Item> {
  readonly length: number;
  at(index: number): Item | undefined;
  /** Items [start, end). */
  slice(start?: number, end?: number): Item[];
}
