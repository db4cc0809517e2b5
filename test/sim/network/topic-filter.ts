/** Topic filters of MQTT (3.1.1, section 4.7): `+` is one level, `#` the rest. */
export class TopicFilter {
  readonly #levels: readonly string[];

  constructor(readonly text: string) {
    this.#levels = text.split('/');
  }

  matches(topic: string): boolean {
    const levels = topic.split('/');
    const filter = this.#levels;
    // Topics of the broker's own are not for wildcards at the beginning.
    if (topic.startsWith('$') && (filter[0] === '+' || filter[0] === '#')) return false;
    for (let i = 0; i < filter.length; i++) {
      if (filter[i] === '#') return true;
      if (i >= levels.length || (filter[i] !== '+' && filter[i] !== levels[i])) return false;
    }
    return levels.length === filter.length;
  }
}
