import type { MessagePort } from 'node:worker_threads';
import type { CacheAnswer, CacheLink } from './messages.ts';

/** The way to a keeper in another thread. The port keeps this thread alive only while an answer is waited for. */
export function portLink(port: MessagePort): CacheLink {
  return {
    post: (question) => port.postMessage(question),
    listen(onAnswer, onEnd) {
      port.on('message', (answer: CacheAnswer) => onAnswer(answer));
      port.once('close', onEnd);
      port.unref();
    },
    hold(isWaiting) {
      if (isWaiting) port.ref();
      else port.unref();
    },
    close: () => port.close(),
  };
}
