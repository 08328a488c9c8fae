/**
 * The categories of the analysis `moderation`. They say what a person should look at before others
 * see it; that something must not be shown is never said, and that something may be shown is not
 * promised either.
 *
 * | category            | what the model saw                                                        |
 * |---------------------|---------------------------------------------------------------------------|
 * | `sexual.explicit`   | very probably nudity or sex                                               |
 * | `sexual.suggestive` | perhaps that, or much bare skin; or only a moment of it between others    |
 *
 * Violence, hatred, drugs and weapons are not looked for.
 */

export const moderationCategories = ['sexual.explicit', 'sexual.suggestive'] as const;
export type ModerationCategory = (typeof moderationCategories)[number];

/**
 * From these scores on, 0..1. The model's makers call what is above .8 very probably pornographic and
 * what is below .2 safe, and leave the rest to others to divide
 * (https://github.com/yahoo/open_nsfw#usage). Of 220 photographs, drawings, backgrounds and screenshots
 * that anybody may see 4 had .2 and more, 2 had .4 and more (a page of portraits .99, an abstract
 * background .55), and one .8. Of five films of 115 s a cockatoo's pink feathers were
 * `sexual.suggestive` for one second, .48. It would be nothing with .5, and so would be a lone picture that
 * the model is sure of, of which the mean with its neighbours is at most .5.
 */
const explicitFrom = 0.8;
const suggestiveFrom = 0.4;

export function categoryOf(score: number): ModerationCategory | null {
  if (score >= explicitFrom) return 'sexual.explicit';
  return score >= suggestiveFrom ? 'sexual.suggestive' : null;
}
