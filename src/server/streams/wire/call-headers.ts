/** A call's metadata: the values of a header in the order sent, those of a `-bin` header decoded. Names are lower-case. */
export interface CallHeaders {
  get(name: string): readonly (string | Buffer)[];
}
