/** Decides to which persons of a library the persons of a medium belong. Pure. */
import { dot } from '../results/embeddings.ts';
import { type MediumPerson, meanOf } from './faces.ts';

export interface KnownPerson {
  libraryPersonId: string;
  /** Of each of its persons of media, in one space. */
  embeddings: Float32Array[];
  embeddingSpace: string;
}

/**
 * Cosine of two means from which on they are one person. Inside one medium .65 suffices, where light and
 * camera are the same (results/persons.ts): there one man in two lights had .72, and the two most alike of 22
 * women .66. A library has more people who could be mistaken for each other, and an error in it is found
 * by nobody; two persons that are one are merged by hand at once.
 */
export const samePersonInLibrary = 0.7;

/** For each person of the medium the one of the library, or null where it is somebody new. */
export function match(
  persons: readonly MediumPerson[],
  known: readonly KnownPerson[],
): Map<string, string | null> {
  const means = known.flatMap(({ embeddings, ...one }) => {
    const mean = meanOf(embeddings.filter((vector) => vector.length === embeddings[0]!.length));
    return mean ? [{ ...one, mean }] : [];
  });
  const pairs = persons
    .flatMap((person) =>
      means
        .filter(
          ({ embeddingSpace, mean }) =>
            embeddingSpace === person.embeddingSpace && mean.length === person.embedding.length,
        )
        .map(({ libraryPersonId, mean }) => ({
          personId: person.personId,
          libraryPersonId,
          likeness: dot(person.embedding, mean),
        })),
    )
    .filter(({ likeness }) => likeness >= samePersonInLibrary)
    .toSorted((a, b) => b.likeness - a.likeness);
  // Whom one medium tells apart the library does not join: each is taken once, the most alike first.
  const matched = new Map<string, string | null>(persons.map(({ personId }) => [personId, null]));
  const taken = new Set<string>();
  for (const { personId, libraryPersonId } of pairs) {
    if (matched.get(personId) !== null || taken.has(libraryPersonId)) continue;
    matched.set(personId, libraryPersonId);
    taken.add(libraryPersonId);
  }
  return matched;
}
