import type { Keeper } from './keeper.ts';
import type { CacheAnswer, CacheLink } from './messages.ts';

/** The way to a keeper in the same thread: messages arrive after whatever runs now, in order, like those of a port. */
export function localLink(keeper: Keeper): CacheLink {
  let hear: (answer: CacheAnswer) => void = () => undefined;
  let isOpen = true;
  const connection = keeper.connect((answer) => {
    queueMicrotask(() => {
      if (isOpen) hear(answer);
    });
  });
  return {
    post: (question) => {
      queueMicrotask(() => {
        if (isOpen) connection.receive(question);
      });
    },
    listen(onAnswer) {
      hear = onAnswer;
    },
    hold: () => undefined,
    close() {
      isOpen = false;
      connection.close();
    },
  };
}
