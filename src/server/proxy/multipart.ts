/**
 * How many bytes of a form are outside of its files. NocoBase writes files to disk as they arrive; all else it gathers in memory
 * and reads as values. Who sends decides what a part is said to be, so only a form of the usual shape has files: from the first
 * byte on that two readers could understand in two ways, all of it is outside.
 */
export class FormMeter {
  private outside = 0;
  private state: 'start' | 'head' | 'field' | 'file' | 'odd';
  /** Whether nothing of the part has been read but the line break before it. */
  private isFresh = false;
  /** What may be the beginning of a delimiter, or of the head of a part. */
  private rest: Buffer = Buffer.from('\r\n');
  private readonly delimiter: Buffer;

  constructor(contentType: string) {
    const boundary = BOUNDARY.exec(contentType)?.[2];
    this.state = boundary === undefined ? 'odd' : 'start';
    this.delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** @returns the bytes outside of files so far; those of a head that is not complete are not counted yet */
  add(chunk: Buffer): number {
    let data = this.rest.length ? Buffer.concat([this.rest, chunk]) : chunk;
    for (;;) {
      const next = this.step(data);
      if (next === null) break;
      data = next;
    }
    return this.outside;
  }

  /** @returns what is left for the next step; null if it needs more */
  private step(data: Buffer): Buffer | null {
    if (this.state === 'odd') {
      this.outside += data.length;
      return this.keep(Buffer.alloc(0));
    }
    if (this.state === 'head') return this.readHead(data);
    const at = data.indexOf(this.delimiter);
    if (this.state === 'start') return this.begin(data, at);
    // It would take the last line break of the head, and what follows would belong to the same head.
    if (at === 0 && this.isFresh) return this.give('odd', data);
    const length = at < 0 ? Math.max(0, data.length - this.delimiter.length + 1) : at;
    if (length > 0) this.isFresh = false;
    if (this.state === 'field') this.outside += length;
    if (at < 0) return this.keep(data.subarray(length));
    this.outside += this.delimiter.length;
    return this.give('head', data.subarray(at + this.delimiter.length));
  }

  private begin(data: Buffer, at: number): Buffer | null {
    if (at < 0 && data.length < this.delimiter.length) return this.keep(data);
    return at === 0 ? this.give('head', data.subarray(this.delimiter.length)) : this.give('odd', data);
  }

  /** Of a part, or of nothing any more: then the rest is odd. */
  private readHead(data: Buffer): Buffer | null {
    const end = data.indexOf('\r\n\r\n');
    const delimiter = data.indexOf(this.delimiter);
    if (end < 0 && delimiter < 0 && data.length < MAX_HEAD) return this.keep(data);
    const isWhole = end >= 0 && end < MAX_HEAD && (delimiter < 0 || delimiter > end);
    const kind = isWhole ? kindOf(data.toString('latin1', 0, end)) : null;
    if (kind === null) return this.give('odd', data);
    this.outside += end + 2;
    this.isFresh = true;
    return this.give(kind, data.subarray(end + 2));
  }

  private give(state: typeof this.state, data: Buffer): Buffer {
    this.state = state;
    return data;
  }

  private keep(data: Buffer): null {
    this.rest = Buffer.from(data);
    return null;
  }
}

/** Longer than the heads of browsers and of HTTP libraries. */
const MAX_HEAD = 2_048;
const BOUNDARY = /^\s*multipart\/form-data\s*;\s*boundary=("?)([\w'.+-]{1,70})\1\s*$/i;
const LINE = /^[\w-]+:[\t\x20-\x7e\x80-\xff]*$/;
const DISPOSITION = /^content-disposition:/i;
const OF_FILE = /^content-disposition: ?form-data; ?name="[^"\\]*"; ?filename="[^"\\]+"(?:; ?filename\*=[^\s;"\\]+)?$/i;

/** @param head from the delimiter to the empty line; null if it is of no usual shape */
function kindOf(head: string): 'field' | 'file' | null {
  const [before, ...lines] = head.split('\r\n');
  if (before !== '' || !lines.every((line) => LINE.test(line))) return null;
  const dispositions = lines.filter((line) => DISPOSITION.test(line));
  if (dispositions.length !== 1) return null;
  return OF_FILE.test(dispositions[0]) ? 'file' : 'field';
}
