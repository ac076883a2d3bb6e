import { findMistakes } from '../declaredSharing.ts';
import type { CommentRule } from '../rule.ts';

export const rule: CommentRule = {
  level: 'error',
  title: 'a declaration of the access model is wrong, so it has no effect',
  ofComments: findMistakes,
};
