/** Milliseconds since the epoch. Passed in, so that tests can move it. */
export type Clock = () => number;

export const secondsOf = (clock: Clock): number => clock() / 1000;
