/**
 * Reads data that Python's `pickle` wrote, as far as PyTorch's weight files need it.
 *
 * A pickle is a program for a small stack machine that may name any Python function and have
 * it called; that is why reading one with Python runs whatever its author liked. Here names
 * stay names: only the few that the caller knows can be called, any other is an error, and
 * so is every instruction that weight files do not need.
 *
 * Source of the instructions: https://github.com/python/cpython/blob/3.12/Lib/pickletools.py
 */

/** A function or class by its Python name, such as `torch.FloatStorage`. */
export class PythonName {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export interface PickleReader {
  /** What a known function gives for its arguments; throws for any other. */
  call(name: string, args: unknown[]): unknown;
  /** What an object kept outside the pickle is known by, to what it is. */
  persistent(id: unknown): unknown;
}

const MARK = Symbol('mark');
const MAX_VALUES = 1_000_000;

/** The value, and where in `bytes` the pickle ended. Throws where it holds anything unexpected. */
export function readPickle(
  bytes: Buffer,
  start: number,
  reader: PickleReader,
): { value: unknown; end: number } {
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  let at = start;

  const take = (count: number) => {
    at += count;
    if (at > bytes.length) throw new Error('the pickle ends too early');
    return at - count;
  };
  const line = () => {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw new Error('the pickle ends too early');
    const from = take(end + 1 - at);
    return bytes.toString('utf8', from, end);
  };
  const pop = () => {
    const value = stack.pop();
    if (value === undefined || value === MARK) throw new Error('the pickle takes more than it has');
    return value;
  };
  const sinceMark = () => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) throw new Error('the pickle takes more than it has');
    return stack.splice(mark).slice(1);
  };
  const top = <Kind>(kind: new () => Kind): Kind => {
    const value = stack.at(-1);
    if (!(value instanceof kind)) throw new Error('the pickle fills something that cannot be filled');
    return value;
  };
  const setItems = (pairs: unknown[]) => {
    const map = top<Map<unknown, unknown>>(Map);
    for (let i = 0; i + 1 < pairs.length; i += 2) map.set(pairs[i], pairs[i + 1]);
  };
  const recall = (index: number) => {
    if (!memo.has(index)) throw new Error('the pickle recalls what it never kept');
    stack.push(memo.get(index));
  };

  const instructions: Record<number, () => void> = {
    128: () => void take(1), // PROTO
    40: () => void stack.push(MARK),
    41: () => void stack.push([]), // EMPTY_TUPLE
    75: () => void stack.push(bytes.readUInt8(take(1))), // BININT1
    77: () => void stack.push(bytes.readUInt16LE(take(2))), // BININT2
    74: () => void stack.push(bytes.readInt32LE(take(4))), // BININT
    138: () => {
      // LONG1
      const count = bytes.readUInt8(take(1));
      const from = take(count);
      const hex = Buffer.from(bytes.subarray(from, at)).reverse().toString('hex');
      stack.push(BigInt(`0x${hex}`));
    },
    71: () => void stack.push(bytes.readDoubleBE(take(8))), // BINFLOAT
    78: () => void stack.push(null), // NONE
    136: () => void stack.push(true), // NEWTRUE
    137: () => void stack.push(false), // NEWFALSE
    88: () => {
      // BINUNICODE
      const count = bytes.readUInt32LE(take(4));
      const from = take(count);
      stack.push(bytes.toString('utf8', from, at));
    },
    93: () => void stack.push([]), // EMPTY_LIST
    125: () => void stack.push(new Map()), // EMPTY_DICT
    99: () => void stack.push(new PythonName(`${line()}.${line()}`)), // GLOBAL
    133: () => void stack.push([pop()]), // TUPLE1
    134: () => void stack.push([pop(), pop()].reverse()), // TUPLE2
    135: () => void stack.push([pop(), pop(), pop()].reverse()), // TUPLE3
    116: () => void stack.push(sinceMark()), // TUPLE
    97: () => {
      // APPEND
      const item = pop();
      top<unknown[]>(Array).push(item);
    },
    101: () => {
      // APPENDS
      const items = sinceMark();
      top<unknown[]>(Array).push(...items);
    },
    115: () => setItems([pop(), pop()].reverse()), // SETITEM
    117: () => setItems(sinceMark()), // SETITEMS
    113: () => void memo.set(bytes.readUInt8(take(1)), stack.at(-1)), // BINPUT
    114: () => void memo.set(bytes.readUInt32LE(take(4)), stack.at(-1)), // LONG_BINPUT
    104: () => recall(bytes.readUInt8(take(1))), // BINGET
    106: () => recall(bytes.readUInt32LE(take(4))), // LONG_BINGET
    81: () => void stack.push(reader.persistent(pop())), // BINPERSID
    82: () => {
      // REDUCE
      const [args, callee] = [pop(), pop()];
      if (!(callee instanceof PythonName) || !Array.isArray(args))
        throw new Error('the pickle calls a value');
      stack.push(reader.call(callee.name, args));
    },
    98: () => void pop(), // BUILD: the attributes of an object, of which none is wanted
  };

  for (let count = 0; count < MAX_VALUES; count++) {
    const code = bytes.readUInt8(take(1));
    if (code === 0x2e) return { value: pop(), end: at };
    const instruction = instructions[code];
    if (!instruction)
      throw new Error(`the pickle has an instruction 0x${code.toString(16)} that is not known`);
    instruction();
  }
  throw new Error('the pickle is too long');
}
