/** A step that a model may take: what happens, and the state after it. */
export type Step<S> = readonly [label: string, next: S];

/** A number for a part of a state; the same for parts that are alike. */
type Intern = (part: unknown) => number;

/** A small protocol as a state machine. States are plain data and never changed. */
export interface Model<S extends object> {
  initial: S;
  /** Everything that may happen next. */
  steps(state: S): readonly Step<S>[];
  /** What must hold in every state, by name. */
  invariants: Readonly<Record<string, (state: S) => boolean>>;
  /** What it must be possible to reach from every state, by name: nothing that happens may make it impossible. */
  goals?: Readonly<Record<string, (state: S) => boolean>>;
  /** Alike for states that behave alike. @defaultValue all parts of the state */
  key?(state: S, intern: Intern): string;
}

export interface Exploration {
  /** How many different states were seen. */
  states: number;
  /** What does not hold, and one of the shortest ways there. */
  violation?: { broken: string; trace: string[] };
}

/** So many states are a mistake in the bounds of a model. */
const mostStates = 2_000_000;

/** Visits every state that can be reached, nearest first, until something does not hold. */
export function explore<S extends object>(model: Model<S>): Exploration {
  const intern = interning();
  const key = model.key ?? ((state: S) => Object.values(state).map(intern).join());
  const invariants = Object.entries(model.invariants);
  const goals = Object.entries(model.goals ?? {});
  const found = new Map<string, number>();
  /** From which state each was first reached, and how. */
  const origins: { from: number; label: string }[] = [];
  const reached: boolean[][] = goals.map(() => []);
  /** Pairs of states, for the goals. */
  const edges: number[] = [];
  const result = (broken?: string, id = 0): Exploration => {
    if (broken === undefined) return { states: found.size };
    const trace: string[] = [];
    for (let at = id; at > 0; at = origins[at]!.from) trace.unshift(origins[at]!.label);
    return { states: found.size, violation: { broken, trace } };
  };

  let level: { id: number; state: S }[] = [];
  /** @returns what does not hold in a state that is new */
  const visit = (state: S, from: number, label: string, next: typeof level): string | undefined => {
    const text = key(state, intern);
    const known = found.get(text);
    const id = known ?? found.size;
    if (goals.length > 0 && id !== from) edges.push(from, id);
    if (known !== undefined) return undefined;
    if (id === mostStates) throw new Error(`more than ${mostStates} states: make the bounds of the model smaller`);
    found.set(text, id);
    origins.push({ from, label });
    goals.forEach(([, isReached], goal) => reached[goal]!.push(isReached(state)));
    next.push({ id, state });
    return invariants.find(([, holds]) => !holds(state))?.[0];
  };

  const broken = visit(model.initial, 0, '', level);
  if (broken !== undefined) return result(broken);
  while (level.length > 0) {
    const next: typeof level = [];
    for (const { id, state } of level) {
      for (const [label, after] of model.steps(state)) {
        const broken = visit(after, id, label, next);
        if (broken !== undefined) return result(broken, found.size - 1);
      }
    }
    level = next;
  }
  for (const [goal, [name]] of goals.entries()) {
    const stuck = firstFarFrom(reached[goal]!, edges);
    if (stuck !== undefined) return result(name, stuck);
  }
  return result();
}

/** Parts that are the same object, or are alike as JSON, have the same number. */
function interning(): Intern {
  const byText = new Map<string, number>();
  const byObject = new WeakMap<object, number>();
  const toNumber = (part: unknown): number => {
    const text = JSON.stringify(part);
    let number = byText.get(text);
    if (number === undefined) byText.set(text, (number = byText.size));
    return number;
  };
  return (part) => {
    if (typeof part !== 'object' || part === null) return toNumber(part);
    let number = byObject.get(part);
    if (number === undefined) byObject.set(part, (number = toNumber(part)));
    return number;
  };
}

/** The first state from which none of the states that are `reached` can be reached. */
function firstFarFrom(reached: boolean[], edges: readonly number[]): number | undefined {
  const before: number[][] = reached.map(() => []);
  for (let at = 0; at < edges.length; at += 2) before[edges[at + 1]!]!.push(edges[at]!);
  const near = reached.flatMap((isReached, id) => (isReached ? [id] : []));
  for (let id = near.pop(); id !== undefined; id = near.pop()) {
    for (const from of before[id]!) {
      if (reached[from]) continue;
      reached[from] = true;
      near.push(from);
    }
  }
  const first = reached.indexOf(false);
  return first < 0 ? undefined : first;
}
